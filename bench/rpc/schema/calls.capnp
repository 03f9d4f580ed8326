# The calls that the RPC suite measures.
@0xc4d10a9b3f6e7a21;

interface Bench {
  add @0 (a :Int64, b :Int64) -> (sum :Int64);

  echo @1 (data :Data) -> (data :Data);

  step @2 (value :Int64) -> (step :Step);
  # Gives a new object with one more than value, which gives the next one.

  sink @3 (whole :Bool) -> (sink :Sink);
  # Gives a receiver of a stream. If whole it looks at every byte, else only at
  # the length of a chunk and its first and last byte.

  sleeper @4 () -> (sleeper :Sleeper);
  # Gives a new object whose calls block.
}

interface Step {
  step @0 () -> (step :Step);
  value @1 () -> (value :Int64);
}

interface Sink {
  put @0 (chunk :Data) -> stream;
  done @1 () -> (bytes :UInt64, hash :UInt64);
}

interface Sleeper {
  sleep @0 (micros :UInt32) -> ();
}
