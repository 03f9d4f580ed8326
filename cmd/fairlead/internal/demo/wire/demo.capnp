@0xb5cde59510ce7fd3;
# The messages between the producer and the worker of "fairlead demo".
#
# A connection starts with hello, which has no answer; then come files, each
# answered in any order, and at the end stats, answered after all of them.

using Go = import "/go.capnp";
$Go.package("wire");
$Go.import("github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire");

struct Message {
  union {
    hello @0 :Data;
    # The token that the worker was started with.

    file @1 :File;
    answer @2 :Answer;
    stats @3 :Stats;
    # To the worker all zero: it asks for the worker's.

    join @4 :Join;
    # From a worker that is one of several, before hello.
  }
}

interface Door {
  # What a worker serves to whoever connects.

  enter @0 (token :Data) -> (worker :Worker);
  # Fails if this is not the token that the worker was started with.
}

interface Worker {
  check @0 (file :File) -> (answer :Answer);
  stats @1 () -> (stats :Stats);
}

struct Join {
  work @0 :Text;
  # Where the worker takes files from a PUSH socket.

  results @1 :Text;
  # Where it gives its answers to a PULL socket.
}

struct File {
  id @0 :UInt64;
  # Which file: sent back in the answer.

  slot @1 :UInt32;
  # The sender's bookkeeping: sent back in the answer.

  mode @2 :UInt32;
  # Permission bits.

  modTime @3 :Int64;
  # Nanoseconds since 1970.

  path @4 :Data;
  # In the bytes of the file system.

  hash @5 :Data;
  # SHA-256 of the content.

  content @6 :Data;

  size @7 :UInt64;
  # Bytes of content.
}

struct Answer {
  id @0 :UInt64;
  slot @1 :UInt32;

  hashOk @2 :Bool;
  # Whether the content that arrived has the hash that was sent with it.

  size @3 :UInt64;
  # Bytes of content.

  lines @4 :UInt64;
  # Newlines in it.

  hash @5 :Data;
  # SHA-256 of the content that arrived.
}

struct Stats {
  copied @0 :UInt64;
  # Messages that were copied on their way.

  allocations @1 :UInt64;
}
