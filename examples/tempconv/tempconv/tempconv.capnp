# A converter of temperatures, which is about the smallest service that there is.
@0xe0a3f1c26d5b9478;

using Go = import "/go.capnp";
$Go.package("tempconv");
$Go.import("github.com/fairlead-go/fairlead/examples/tempconv/tempconv");

enum Unit {
  kelvin @0;
  celsius @1;
  fahrenheit @2;
}

struct Temperature {
  value @0 :Float64;
  unit @1 :Unit;
}

interface Converter {
  convert @0 (temperature :Temperature, unit :Unit) -> (temperature :Temperature);
  # Gives the same temperature in another unit.
}
