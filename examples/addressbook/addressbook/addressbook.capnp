# Cap'n Proto's sample address book: its fields and ids are those of
# c++/samples/addressbook.capnp, Copyright (c) 2013-2014 Sandstorm Development
# Group, Inc. and contributors, under the MIT licence.
@0x9eb32e19f86ee174;

using Go = import "/go.capnp";
$Go.package("addressbook");
$Go.import("github.com/fairlead-go/fairlead/examples/addressbook/addressbook");

struct Person {
  id @0 :UInt32;
  name @1 :Text;
  email @2 :Text;
  phones @3 :List(PhoneNumber);

  struct PhoneNumber $Go.name("Phone") {
    # A number under which the person can be called.

    number @0 :Text;
    type @1 :Type;

    enum Type {
      mobile @0;
      home @1;
      work @2;
    }
  }

  employment :union $Go.name("Employment") {
    # What the person does for a living: one of these.

    unemployed @4 :Void;
    employer @5 :Text;
    school @6 :Text;
    selfEmployed @7 :Void;
  }
}

struct AddressBook {
  people @0 :List(Person);
}
