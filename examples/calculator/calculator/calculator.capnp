# Cap'n Proto's sample calculator: its methods, fields and ids are those of
# c++/samples/calculator.capnp, Copyright (c) 2013 Kenton Varda, under the
# two-clause BSD licence.
@0x85150b117366d14b;

using Go = import "/go.capnp";
$Go.package("calculator");
$Go.import("github.com/fairlead-go/fairlead/examples/calculator/calculator");

interface Calculator {
  # A calculator whose numbers and functions are objects, so that what one call
  # gives can be used in the next before it is there.

  evaluate @0 (expression :Expression) -> (value :Value);
  # Computes an expression. The result is an object that can be read, or used in
  # other expressions.

  struct Expression $Go.name("Expression") {
    # An expression of numbers.

    union {
      literal @0 :Float64;
      # A number.

      previousResult @1 :Value;
      # What another evaluate() gives, or will give.

      parameter @2 :UInt32;
      # A parameter of the function that this is the body of; see defFunction.

      call :group {
        # A function called with parameters.
        function @3 :Function;
        params @4 :List(Expression);
      }
    }
  }

  interface Value $Go.name("Value") {
    # A number as an object.

    read @0 () -> (value :Float64);
    # Gives the number.
  }

  defFunction @1 (paramCount :Int32, body :Expression) -> (func :Function);
  # Makes a function of an expression and the number of its parameters.

  interface Function $Go.name("Function") {
    # A function of numbers, which the client or the server may have.

    call @0 (params :List(Float64)) -> (value :Float64);
    # Calls it.
  }

  getOperator @2 (op :Operator) -> (func :Function);
  # Gives an operator of arithmetic as a function.

  enum Operator $Go.name("Operator") {
    add @0;
    subtract @1;
    multiply @2;
    divide @3;
  }
}
