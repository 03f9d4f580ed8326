@0xef881ae9717adbd4;
# What a connection can have beside its bootstrap capability. Its methods are
# called on that; on a bootstrap capability without them they are unimplemented.

interface Restorer @0xbfb5321d13d5b8a8 {
  # Gives capabilities for the references to them that outlive a connection.

  restore @0 (ref :AnyPointer) -> (cap :Capability);
  # Gives the capability that was saved. ref is what the method save of
  # Persistent gave. If it is sealed for an owner, only the owner gets it.

  drop @1 (ref :AnyPointer) -> ();
  # Makes the reference refer to nothing, now and for ever. One that refers to
  # nothing is no error.
}

interface Exports @0xd1722bdbeae8d83f {
  # Capabilities that have names. Each is asked for by a message Bootstrap whose
  # deprecatedObjectId is its name.

  names @0 () -> (names :List(Text));
  # Gives the names, if the server is willing to.
}
