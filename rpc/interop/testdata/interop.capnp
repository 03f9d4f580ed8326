@0xd1c7b60a0b2f7a43;
# What Fairlead and the C++ reference serve to each other in the tests.

interface Lab {
  # The bootstrap capability: a bench on which each feature of the protocol is
  # brought about.

  add @0 (a :Int64, b :Int64) -> (sum :Int64);

  echo @1 (data :Data) -> (data :Data);

  fail @2 (type :UInt16, reason :Text) -> ();
  # Fails with an exception of that type.

  failBy @3 (lab :Lab, type :UInt16, reason :Text) -> (type :UInt16, reason :Text);
  # Calls fail on lab, and tells of the exception that it got.

  hang @4 () -> (lab :Lab);
  # Returns only when it is cancelled.

  hanging @5 () -> (now :UInt32, cancelled :UInt32);
  # Counts the calls of hang in this process.

  gate @6 () -> (lab :Lab);
  # Returns this object once open is called.

  open @7 () -> ();

  sequence @8 (first :UInt32) -> (sequence :Sequence);
  # Makes a new one, which begins with that number.

  live @9 () -> (sequences :UInt32);
  # Counts those that sequence has made and that are still there.

  echoCap @10 (cap :Sequence) -> (cap :Sequence);

  hold @11 () -> (promise :Sequence);
  # Gives a promise that resolve or reject settles.

  resolve @12 (to :Sequence) -> ();

  reject @13 (type :UInt16, reason :Text) -> ();

  callNext @14 (sequence :Sequence) -> (n :UInt32);
  # Calls next, and gives what it gave.

  keep @15 (cap :Sequence) -> ();

  kept @16 () -> (cap :Sequence);

  drop @17 () -> ();

  tail @18 (callee :Callee, i :Int32) -> TailResult;
  # Makes a tail call of foo on callee.

  sink @19 (failAt :UInt32) -> (sink :Sink);
  # Gives a sink whose write number failAt, counted from 1, fails.

  missing @20 () -> ();
  # Is implemented by nobody.

  calculator @21 () -> (calculator :Calculator);

  die @22 () -> ();
  # Ends the process, or at least its side of the connection, at once.

  twice @23 (one :Sequence, two :Sequence) -> (n :UInt32);
  # Calls next on one, then on two, and gives the latter's.

  numbered @24 (number :UInt32) -> (lab :Lab);
  # Gives a lab with its own gate, promise and kept capability: the same over all
  # connections, while somebody holds it.
}

interface Sequence {
  next @0 () -> (n :UInt32);
  # Gives 0, 1, 2 …, or counts from where it begins.
}

interface Callee {
  foo @0 (i :Int32) -> TailResult;
}

struct TailResult {
  i @0 :Int32;
  sequence @1 :Sequence;
}

interface Sink {
  write @0 (chunk :Data) -> stream;
  done @1 () -> (bytes :UInt64, chunks :UInt32);
}

interface Calculator {
  evaluate @0 (expression :Expression) -> (value :Value);
  defFunction @1 (paramCount :UInt32, body :Expression) -> (function :Function);
  operator @2 (op :Op) -> (function :Function);
}

struct Expression {
  union {
    literal @0 :Float64;
    previous @1 :Value;
    parameter @2 :UInt32;
    call :group {
      function @3 :Function;
      params @4 :List(Expression);
    }
  }
}

interface Value {
  read @0 () -> (value :Float64);
}

interface Function {
  call @0 (params :List(Float64)) -> (value :Float64);
}

enum Op {
  add @0;
  subtract @1;
  multiply @2;
  divide @3;
}

interface Handle {
  # Has a file whose content is its name.
  name @0 () -> (name :Text);
}

interface Drawer {
  open @0 (name :Text, padding :Data) -> (handle :Handle, padding :Data);
  # Makes a new one. The padding goes there and back.

  later @1 (name :Text) -> (handle :Handle);
  # Gives a promise of a new one, which is kept soon.

  read @2 (handle :Handle, padding :Data) -> (content :Text);
  # Reads the file of a handle. There is no content if it has none.

  echo @3 (handle :Handle) -> (handle :Handle);

  many @4 (count :UInt32) -> (handles :List(Handle));
  # Makes several new ones, whose names are 0, 1, 2 …

  opened @5 () -> (files :UInt32);
  # Counts the descriptors of the process.
}
