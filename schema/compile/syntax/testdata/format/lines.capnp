@0x8000000000000001;
const x :List(Foo) = [
  (a = 1, b = "x"), (a = 2,
                     b = "y"), # c1
  # c2

  (a = 3)
];
const s :Text
    = "abc"
    "def";
const verylong :Foo = (aaaaaaaaaaaaaaaaaaaa = 1111111111111111111,
                       bbbbbbbbbbbbbbbbbbbbbbbbbb = 2222222222222222,
                       ccccccccccccccccccc = 33333333333333);
const list :List(Foo) =
    [(year = 2015, month = 8, day = 27), (year = 2015, month = 8, day = 28), (y = 1)];
const fits :List(Foo) =
    [(year = 2015, month = 8, day = 27), (year = 2015, month = 8, day = 288888)];
const d :Data = 0x"00 11
  22";
const t :Text = `back-tick, with trailing space  
    `bar
    ;
const h :Foo = (
  a = (
    b = [
      1, 2,

      3,
    ],
  ),
);
const closing :Foo = (a,
                      b);
interface I {
  someVeryLongMethodName @0 [T, U] (parameterOne :List(Text),
                                    parameterTwo :Some.Other.Type = (a = 5, b = [1, 2]),
                                    three :Text)
      -> (results :List(SomethingLong(Text)), more :Data, evenMore :Data)
      $annotation("foo bar baz");
  another @1 (parameterOne :List(Text), parameterTwo :Some.Other.Type)
      -> (results :List(Somethings)) $a;
  broken @2 (a :Text)
      -> (b :Text)
      $ann;
  odd @3 (a :Text);
}
struct AnEvenLongerNameThanThatOfTheMethodAbove $annotation("foo bar baz")
    $annotation("foo bar baz quux") {}
struct OneLine {
  aaaaaaaaaaaaaaaaaa @0 :Text;
  bbbbbbbbbbbbbbbbbbbbbb @1 :Text;
  ccccccccccccccccccc @2 :Text;
}
annotation inner( # why
  struct,
  # because
  field) :Text
    # even here
    ;
