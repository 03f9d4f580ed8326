# Uploads as streams, with word of how far they are.
@0x9d5e7340c1f28ab6;

using Go = import "/go.capnp";
$Go.package("upload");
$Go.import("github.com/fairlead-go/fairlead/examples/upload/upload");

interface Uploads {
  begin @0 (name :Text, progress :Progress) -> (file :Writer);
  # Begins a file. The server tells progress what it has written; null if nobody
  # wants to know.
}

interface Writer {
  write @0 (bytes :Data) -> stream;
  # Adds bytes. Many calls may be under way; they are carried out in order.

  done @1 () -> (size :UInt64, sha256 :Data);
  # Ends the file. Until then there is none: a writer that is dropped leaves
  # nothing behind.
}

interface Progress {
  written @0 (bytes :UInt64) -> stream;
  # Tells how many bytes there are so far.
}
