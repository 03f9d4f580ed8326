@0x9eb32e19f86ee174;

# A comment that documents nothing.

struct Person {
  id @0 :UInt32;
  name @1 :Text;
  # The full name.
  email @2 :Text;
  phones @3 :List(PhoneNumber);

  struct PhoneNumber {
    # A number, and where it rings.
    number @0 :Text;
    type @1 :Type;

    enum Type {
      mobile @0;
      # In a pocket.
      home @1;
      work @2;
    }
  }

  employment :union {
    # What the person does.
    unemployed @4 :Void;
    employer @5 :Text;
    school @6 :Text;
    selfEmployed @7 :Void;
    # We assume that a person is only one of these.
  }
}

struct AddressBook {
  people @0 :List(Person);
}
