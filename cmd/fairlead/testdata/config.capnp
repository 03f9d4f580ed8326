@0xb7c8a1f2e3d4c5b6;
# A configuration file: constants of all kinds.

enum Level { quiet @0; normal @1; loud @2; }

struct Server {
  host @0 :Text;
  port @1 :UInt16 = 8080;
  level @2 :Level = normal;
  union {
    plain @3 :Void;
    tls :group { certificate @4 :Data; names @5 :List(Text); }
  }
  weights @6 :List(List(Float32));
  next @7 :Server;
}

struct Config {
  servers @0 :List(Server);
  fallback @1 :Server = (host = "nowhere", port = 1);
  tables @2 :List(Table(Text, Server));
}

struct Table(Key, Value) {
  entries @0 :List(Entry);
  struct Entry { key @0 :Key; value @1 :Value; }
}

const port :UInt16 = 443;
const pi :Float32 = 3.14159274;
const names :List(Text) = ["a", "b\n\"c\"", ""];

const secure :Server = (
  host = "example.org", port = .port, level = loud,
  tls = (certificate = 0x"00 01 fe ff", names = .names),
  weights = [[1, 2.5], [], [inf, nan]],
  next = (host = "next"));

const main :Config = (
  servers = [.secure, (host = "plain", plain = void), ()],
  tables = [(entries = [(key = "k", value = (host = "in a table")), (key = "l")])]);
