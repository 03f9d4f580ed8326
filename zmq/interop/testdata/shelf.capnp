@0xd2c3a8f1b95e7046;

struct Book {
  title @0 :Text;
  pages @1 :UInt32;
  cover @2 :Data;
}

struct Shelf {
  name @0 :Text;
  books @1 :List(Book);
}
