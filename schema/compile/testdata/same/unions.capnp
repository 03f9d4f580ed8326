@0xa1f2e3d4c5b60002;
# A doc comment of the file.

struct Unions {
  # Of the struct.

  old @0! :union { a @1 :Int8; b @2 :Text; c @3 :Void; }
  late @7! :union { x @8 :Int64; y @10 :Bool; z @11 :Int8; }
  first @4 :Bool;
  union {
    # Unnamed.
    one @5 :UInt16;
    two @9 :List(Text);
    three :group {
      # A group.
      a @6 :Int32;
      b @12 :Int64;
      # A field of a group.
      union { c @13 :Bool; d :group { e @14 :Int16; f @15 :Text; } g :union { h @16 :Void; i @17 :Float64; } }
    }
  }
  plain :group {
    a @18 :Bool = true;
    deeper :group { b @19 :UInt8 = 3; evenDeeper :group { c @20 :Text = "x"; } }
    union { d @21 :Void; e @22 :Int32 = -1; }
  }
  inInner :union { inner :union { a @23 :Int32; b @24 :Int32; } other @25 :Int64; last :group { v @26 :Void; } }
}

struct Reversed { c @2 :Text; b @1 :Int8; a @0 :Bool; union { z @5 :Int64; y @4 :Int16; x @3 :Bool; } }

struct Values {
  a @0 :Unions = (old = (a = 5), late = (y = true), first = true, two = ["x"], plain = (a = false, deeper = (b = 7), e = 4));
  b @1 :Unions = (three = (a = 1, b = 2, d = (e = 3, f = "four")), inInner = (inner = (b = 9)));
  c @2 :Unions = (three = (g = (i = 1.5)), inInner = (last = (v = void)));
  d @3 :Unions = (three = (g = (h = void)), one = 3);
  e @4 :Unions = (plain = (e = 1), plain = (d = void));
  f @5 :List(Unions) = [(one = 1), (two = []), (inInner = (other = 5)), (old = (c = void))];
}
