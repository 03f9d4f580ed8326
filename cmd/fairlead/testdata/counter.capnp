@0xd5d2a1b44e5a3d0e;

interface Counter extends(Named) {
  # For the tests of "fairlead call" and "fairlead ls".

  add @0 (by :Int64 = 1) -> (sum :Int64);
  split @1 (note :Text) -> (counter :Counter, note :Text);
  fail @2 (as :Failure) -> ();
  feed @3 (by :Int64) -> stream;
}

interface Named {
  name @0 () -> (name :Text);
}

enum Failure {
  failed @0;
  overloaded @1;
}
