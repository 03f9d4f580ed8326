# Expressions: a tree of them goes out, its value comes back.
#
# The declarations below are those of Cap'n Proto's own benchmark of this name,
# because its figures depend on every field and its place:
# Copyright (c) 2013-2014 Sandstorm Development Group, Inc. and contributors,
# under the MIT License.

@0xe12dc4c3e70e9eda;

enum Operation {
  add @0;
  subtract @1;
  multiply @2;
  divide @3;
  modulus @4;
}

struct Expression {
  op @0 :Operation;

  left :union {
    value @1 :Int32;
    expression @2 :Expression;
  }

  right :union {
    value @3 :Int32;
    expression @4 :Expression;
  }
}

struct EvaluationResult {
  value @0 :Int32;
}
