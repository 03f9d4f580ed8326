# Folders and files as objects.
@0xb7c29a5e80d3146f;

using Go = import "/go.capnp";
$Go.package("fileserver");
$Go.import("github.com/fairlead-go/fairlead/examples/fileserver/fileserver");

interface Folder {
  # A folder. Who has it can use what is in it and below, and nothing else: there
  # are no users and no permissions, and no path leads out.

  list @0 () -> (entries :List(Entry));

  open @1 (path :Text) -> (file :File);
  # Gives an open file. It is closed when nobody holds it any more.

  enter @2 (path :Text) -> (folder :Folder);
  # Gives a folder in this one. Its holder sees nothing of what is around it.

  store @3 (path :Text, file :File) -> (size :UInt64);
  # Makes a new file with the content of another, wherever that one lives.

  struct Entry $Go.name("Entry") {
    name @0 :Text;
    size @1 :UInt64;
    isFolder @2 :Bool;
  }
}

interface File {
  # A file that is open for reading.

  size @0 () -> (size :UInt64);

  read @1 (offset :UInt64, count :UInt32) -> (data :Data);
  # Gives up to count bytes from offset on; none from its end on.
}
