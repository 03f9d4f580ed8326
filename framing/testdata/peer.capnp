@0xd0a1b0c5e7f38a11;

# What the interop tests send to and fro. Its layout is read by hand in
# peer_test.go: number at byte 0 of the data, text, numbers and children as
# pointers 0 to 2.
struct Node {
  number @0 :Int64;
  text @1 :Text;
  numbers @2 :List(Int32);
  children @3 :List(Node);
}
