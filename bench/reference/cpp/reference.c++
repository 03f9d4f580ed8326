// The C++ side of the reference suite: the three programs that Cap'n Proto's
// C++ library measures itself with, over libcapnp. It reads commands from
// standard input and answers each with a line, as harness/child.go describes,
// and one command more:
//
//	total WHO CASE N    ok SIZE     the bytes of N iterations
//
// A case is PROGRAM/MODE/REUSE. Messages that are reused start in a large
// segment that is kept, and packed ones are read into one; others come from
// malloc, with the library's own sizes. Bytes are written to memory that is
// kept in both. Every run starts with the seed. A pipe has a process at each
// end: the client here, the server forked for the run.

#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/io.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "carsales.capnp.h"
#include "catrank.capnp.h"
#include "eval.capnp.h"

namespace {

using capnp::word;
using kj::byte;

constexpr long checkIterations = 20;

uint64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }

struct Hash {
  uint64_t h = 14695981039346656037u;
  void octet(uint8_t b) { h = (h ^ b) * 1099511628211u; }
  void number(uint64_t x) {
    for (int i = 0; i < 8; i++, x >>= 8) octet(uint8_t(x));
  }
  void bytes(kj::ArrayPtr<const byte> b) {
    for (byte c : b) octet(c);
  }
  void text(kj::ArrayPtr<const byte> b) {
    number(b.size());
    bytes(b);
  }
};

// ------------------------------------------------------------ random numbers

// The 128-bit xorshift generator of the benchmark.
uint32_t rx, ry, rz, rw;

void seed() {
  rx = 0x1d2acd47;
  ry = 0x58ca3e14;
  rz = 0xf563f232;
  rw = 0x0bc76199;
}

inline uint32_t next() {
  uint32_t t = rx ^ (rx << 11);
  rx = ry;
  ry = rz;
  rz = rw;
  rw = rw ^ (rw >> 19) ^ t ^ (t >> 8);
  return rw;
}

inline uint32_t below(uint32_t range) { return next() % range; }

inline double real(double range) { return next() * range / std::numeric_limits<uint32_t>::max(); }

// ----------------------------------------------------------------- car sales

template <typename CarLike>
uint64_t worth(CarLike car) {
  uint64_t sum = car.getSeats() * 200;
  sum += car.getDoors() * 350;
  for (auto wheel : car.getWheels()) {
    sum += wheel.getDiameter() * wheel.getDiameter();
    sum += wheel.getSnowTires() ? 100 : 0;
  }
  sum += car.getLength() * car.getWidth() * car.getHeight() / 50;
  auto engine = car.getEngine();
  sum += engine.getHorsepower() * 40;
  if (engine.getUsesElectric()) sum += engine.getUsesGas() ? 5000 : 3000;
  sum += car.getHasPowerWindows() ? 100 : 0;
  sum += car.getHasPowerSteering() ? 200 : 0;
  sum += car.getHasCruiseControl() ? 400 : 0;
  sum += car.getHasNavSystem() ? 2000 : 0;
  sum += car.getCupHolders() * 25;
  return sum;
}

void fillCar(Car::Builder car) {
  static const char* const makes[] = {"Toyota", "GM", "Ford", "Honda", "Tesla"};
  static const char* const models[] = {"Camry", "Prius", "Volt", "Accord", "Leaf", "Model S"};
  car.setMake(makes[below(5)]);
  car.setModel(models[below(6)]);
  car.setColor(Color(below(uint32_t(Color::SILVER) + 1)));
  car.setSeats(2 + below(6));
  car.setDoors(2 + below(3));
  for (auto wheel : car.initWheels(4)) {
    wheel.setDiameter(25 + below(15));
    wheel.setAirPressure(30 + real(20));
    wheel.setSnowTires(below(16) == 0);
  }
  car.setLength(170 + below(150));
  car.setWidth(48 + below(36));
  car.setHeight(54 + below(48));
  car.setWeight(car.getLength() * car.getWidth() * car.getHeight() / 200);
  auto engine = car.initEngine();
  engine.setHorsepower(100 * below(400));
  engine.setCylinders(4 + 2 * below(3));
  engine.setCc(800 + below(10000));
  engine.setUsesGas(true);
  engine.setUsesElectric(below(2));
  car.setFuelCapacity(10.0 + real(30.0));
  car.setFuelLevel(real(car.getFuelCapacity()));
  car.setHasPowerWindows(below(2));
  car.setHasPowerSteering(below(2));
  car.setHasCruiseControl(below(2));
  car.setCupHolders(below(12));
  car.setHasNavSystem(below(2));
}

struct CarSales {
  using Request = ParkingLot;
  using Response = TotalValue;

  static uint64_t request(ParkingLot::Builder lot) {
    uint64_t sum = 0;
    for (auto car : lot.initCars(below(200))) {
      fillCar(car);
      sum += worth(car);
    }
    return sum;
  }
  static void respond(ParkingLot::Reader lot, TotalValue::Builder total) {
    uint64_t sum = 0;
    for (auto car : lot.getCars()) sum += worth(car);
    total.setAmount(sum);
  }
  static bool accept(TotalValue::Reader total, uint64_t expected) { return total.getAmount() == expected; }
  static void digest(Hash& h, TotalValue::Reader total) { h.number(total.getAmount()); }
};

// ------------------------------------------------------------ search ranking

struct Ranked {
  double score;
  SearchResult::Reader result;
  bool operator<(const Ranked& other) const { return score > other.score; }
};

struct CatRank {
  using Request = SearchResultList;
  using Response = SearchResultList;

  static void words(std::string& to) {
    static const char* const all[] = {"foo ",    "bar ",   "baz ",  "qux ",   "quux ",  "corge ", "grault ",
                                      "garply ", "waldo ", "fred ", "plugh ", "xyzzy ", "thud "};
    uint32_t n = below(20);
    for (uint32_t i = 0; i < n; i++) to.append(all[below(13)]);
  }

  static uint64_t request(SearchResultList::Builder list) {
    static const char prefix[] = "http://example.com/";
    constexpr size_t prefixSize = sizeof prefix - 1;
    static std::string snippet;
    uint32_t count = below(1000);
    uint64_t good = 0;
    auto results = list.initResults(count);
    for (uint32_t i = 0; i < count; i++) {
      auto result = results[i];
      result.setScore(1000.0 - i);
      uint32_t urlSize = below(100);
      auto url = result.initUrl(urlSize + prefixSize);
      std::memcpy(url.begin(), prefix, prefixSize);
      char* pos = url.begin() + prefixSize;
      for (uint32_t j = 0; j < urlSize; j++) *pos++ = 'a' + below(26);
      bool cat = below(8) == 0;
      bool dog = below(8) == 0;
      good += cat && !dog;
      snippet.assign(1, ' ');
      words(snippet);
      if (cat) snippet.append("cat ");
      if (dog) snippet.append("dog ");
      words(snippet);
      result.setSnippet(capnp::Text::Reader(snippet.c_str(), snippet.size()));
    }
    return good;
  }
  static void respond(SearchResultList::Reader request, SearchResultList::Builder response) {
    std::vector<Ranked> ranked;
    for (auto result : request.getResults()) {
      double score = result.getScore();
      if (strstr(result.getSnippet().cStr(), " cat ") != nullptr) score *= 10000;
      if (strstr(result.getSnippet().cStr(), " dog ") != nullptr) score /= 10000;
      ranked.push_back({score, result});
    }
    std::sort(ranked.begin(), ranked.end());
    auto list = response.initResults(ranked.size());
    auto to = list.begin();
    for (auto& from : ranked) {
      to->setScore(from.score);
      to->setUrl(from.result.getUrl());
      to->setSnippet(from.result.getSnippet());
      ++to;
    }
  }
  static bool accept(SearchResultList::Reader response, uint64_t expected) {
    uint64_t good = 0;
    for (auto result : response.getResults()) {
      if (result.getScore() <= 1001) break;
      good++;
    }
    return good == expected;
  }
  static void digest(Hash& h, SearchResultList::Reader response) {
    h.number(response.getResults().size());
    for (auto result : response.getResults()) {
      double score = result.getScore();
      uint64_t bits;
      std::memcpy(&bits, &score, sizeof bits);
      h.number(bits);
      h.text(result.getUrl().asBytes());
      h.text(result.getSnippet().asBytes());
    }
  }
};

// --------------------------------------------------------------- expressions

inline int32_t compute(Operation op, int32_t a, int32_t b) {
  constexpr int32_t most = std::numeric_limits<int32_t>::max();
  bool undefined = b == 0 || (a == std::numeric_limits<int32_t>::min() && b == -1);
  switch (op) {
    case Operation::ADD:
      return int32_t(uint32_t(a) + uint32_t(b));
    case Operation::SUBTRACT:
      return int32_t(uint32_t(a) - uint32_t(b));
    case Operation::MULTIPLY:
      return int32_t(uint32_t(a) * uint32_t(b));
    case Operation::DIVIDE:
      return undefined ? most : a / b;
    case Operation::MODULUS:
      return undefined ? most : a % b;
  }
  fail("unknown operation");
}

int32_t grow(Expression::Builder exp, uint32_t depth) {
  exp.setOp(Operation(below(uint32_t(Operation::MODULUS) + 1)));
  int32_t left, right;
  if (below(8) < depth) {
    left = int32_t(below(128) + 1);
    exp.getLeft().setValue(left);
  } else {
    left = grow(exp.getLeft().initExpression(), depth + 1);
  }
  if (below(8) < depth) {
    right = int32_t(below(128) + 1);
    exp.getRight().setValue(right);
  } else {
    right = grow(exp.getRight().initExpression(), depth + 1);
  }
  return compute(exp.getOp(), left, right);
}

int32_t evaluate(Expression::Reader exp) {
  auto left = exp.getLeft();
  auto right = exp.getRight();
  int32_t a = left.isValue() ? left.getValue() : evaluate(left.getExpression());
  int32_t b = right.isValue() ? right.getValue() : evaluate(right.getExpression());
  return compute(exp.getOp(), a, b);
}

struct Eval {
  using Request = Expression;
  using Response = EvaluationResult;

  static uint64_t request(Expression::Builder exp) { return uint64_t(int64_t(grow(exp, 0))); }
  static void respond(Expression::Reader exp, EvaluationResult::Builder result) { result.setValue(evaluate(exp)); }
  static bool accept(EvaluationResult::Reader result, uint64_t expected) {
    return uint64_t(int64_t(result.getValue())) == expected;
  }
  static void digest(Hash& h, EvaluationResult::Reader result) { h.number(uint64_t(int64_t(result.getValue()))); }
};

// --------------------------------------------------- memory, kept or malloc'd

// Scratch is one of a few large pieces of memory that last as long as the
// program, so that no run pays for them. Those for builders are zero between
// two messages; those of any other use are not, and so are others.
template <bool building, size_t most>
class Scratch {
public:
  Scratch() {
    if (taken == most) fail("too many scratch spaces");
    words = kj::arrayPtr(memory + taken++ * size, size);
  }
  ~Scratch() { taken--; }
  KJ_DISALLOW_COPY(Scratch);
  kj::ArrayPtr<word> words;

private:
  static constexpr size_t size = 128 << 10; // words
  static inline word memory[most * size];
  static inline size_t taken = 0;
};

using BuilderScratch = Scratch<true, 2>;
using BytesScratch = Scratch<false, 4>;

struct Kept {
  using BuilderSpace = BuilderScratch;
  using ReaderSpace = BytesScratch;
  struct Builder : capnp::MallocMessageBuilder {
    explicit Builder(BuilderSpace& s) : MallocMessageBuilder(s.words) {}
  };
  static kj::ArrayPtr<word> room(ReaderSpace& s) { return s.words; }
};

struct Fresh {
  struct BuilderSpace {};
  struct ReaderSpace {};
  struct Builder : capnp::MallocMessageBuilder {
    explicit Builder(BuilderSpace&) {}
  };
  static kj::ArrayPtr<word> room(ReaderSpace&) { return nullptr; }
};

// -------------------------------------------------------------------- formats

struct Plain {
  using Input = kj::FdInputStream&;
  using StreamReader = capnp::InputStreamMessageReader;
  struct ArrayReader : capnp::FlatArrayMessageReader {
    ArrayReader(kj::ArrayPtr<const byte> b, kj::ArrayPtr<word>)
        : FlatArrayMessageReader(kj::arrayPtr(reinterpret_cast<const word*>(b.begin()), b.size() / sizeof(word))) {}
  };
  static void write(kj::OutputStream& out, capnp::MessageBuilder& m) { capnp::writeMessage(out, m); }
};

struct Packed {
  using Input = kj::BufferedInputStreamWrapper;
  using StreamReader = capnp::PackedMessageReader;
  struct ArrayReader : private kj::ArrayInputStream, capnp::PackedMessageReader {
    ArrayReader(kj::ArrayPtr<const byte> b, kj::ArrayPtr<word> scratch)
        : ArrayInputStream(b), PackedMessageReader(*this, capnp::ReaderOptions(), scratch) {}
  };
  template <typename Out>
  static void write(Out& out, capnp::MessageBuilder& m) {
    capnp::writePackedMessage(out, m);
  }
};

// ---------------------------------------------------------------------- modes

// What an iteration may be asked for beside its work.
struct Probe {
  Hash values, bytes;
  uint64_t size = 0;
  bool hashing = false;

  template <typename Program, typename Reader>
  void response(uint64_t expected, Reader reader) {
    if (!hashing) return;
    values.number(expected);
    Program::digest(values, reader);
  }
  void written(kj::ArrayPtr<const byte> b) {
    size += b.size();
    if (hashing) bytes.bytes(b);
  }
};

size_t sizeOf(capnp::MessageBuilder& m) {
  size_t n = 0;
  for (auto s : m.getSegmentsForOutput()) n += s.size() * sizeof(word);
  return n;
}

void require(bool accepted) {
  if (!accepted) fail("incorrect response");
}

template <typename P, typename Memory>
void passObjects(long n, Probe* probe) {
  typename Memory::BuilderSpace requestSpace, responseSpace;
  size_t largest = 0;
  for (long i = 0; i < n; i++) {
    typename Memory::Builder request(requestSpace);
    auto root = request.template initRoot<typename P::Request>();
    uint64_t expected = P::request(root);
    typename Memory::Builder response(responseSpace);
    auto result = response.template initRoot<typename P::Response>();
    P::respond(root.asReader(), result);
    require(P::accept(result.asReader(), expected));
    if (probe != nullptr) {
      largest = std::max(largest, sizeOf(request) + sizeOf(response));
      probe->response<P>(expected, result.asReader());
    }
  }
  // As the benchmark counts objects whose memory is kept.
  if (probe != nullptr) probe->size = largest * size_t(n);
}

template <typename P, typename Memory, typename Format>
void passBytes(long n, Probe* probe) {
  typename Memory::BuilderSpace clientRequest, serverResponse;
  typename Memory::ReaderSpace serverRequest, clientResponse;
  BytesScratch requestBytes, responseBytes;
  for (long i = 0; i < n; i++) {
    typename Memory::Builder request(clientRequest);
    uint64_t expected = P::request(request.template initRoot<typename P::Request>());
    kj::ArrayOutputStream requestOut(requestBytes.words.asBytes());
    Format::write(requestOut, request);
    typename Format::ArrayReader requestReader(requestOut.getArray(), Memory::room(serverRequest));

    typename Memory::Builder response(serverResponse);
    P::respond(requestReader.template getRoot<typename P::Request>(),
               response.template initRoot<typename P::Response>());
    kj::ArrayOutputStream responseOut(responseBytes.words.asBytes());
    Format::write(responseOut, response);
    typename Format::ArrayReader responseReader(responseOut.getArray(), Memory::room(clientResponse));
    auto result = responseReader.template getRoot<typename P::Response>();
    require(P::accept(result, expected));
    if (probe != nullptr) {
      probe->written(requestOut.getArray());
      probe->written(responseOut.getArray());
      probe->response<P>(expected, result);
    }
  }
}

struct CountingOutput final : kj::FdOutputStream {
  explicit CountingOutput(int fd) : FdOutputStream(fd) {}
  uint64_t written = 0;
  void write(const void* buffer, size_t size) override {
    FdOutputStream::write(buffer, size);
    written += size;
  }
  void write(kj::ArrayPtr<const kj::ArrayPtr<const byte>> pieces) override {
    FdOutputStream::write(pieces);
    for (auto p : pieces) written += p.size();
  }
};

// serve answers n requests, then says how many bytes it wrote.
template <typename P, typename Memory, typename Format>
void serve(int in, int out, long n) {
  kj::FdInputStream raw(in);
  typename Format::Input input(raw);
  CountingOutput output(out);
  typename Memory::BuilderSpace builderSpace;
  typename Memory::ReaderSpace readerSpace;
  kj::FdOutputStream(out).write("", 1); // ready
  for (long i = 0; i < n; i++) {
    typename Memory::Builder response(builderSpace);
    typename Format::StreamReader request(input, capnp::ReaderOptions(), Memory::room(readerSpace));
    P::respond(request.template getRoot<typename P::Request>(), response.template initRoot<typename P::Response>());
    Format::write(output, response);
  }
  kj::FdOutputStream(out).write(&output.written, sizeof output.written);
}

template <typename P, typename Memory, typename Format>
uint64_t passPipe(long n, Probe* probe) {
  int there[2], back[2];
  if (pipe(there) < 0 || pipe(back) < 0) fail(std::string("pipe: ") + strerror(errno));
  pid_t server = fork();
  if (server < 0) fail(std::string("fork: ") + strerror(errno));
  if (server == 0) {
    close(there[1]);
    close(back[0]);
    int status = 0;
    try {
      serve<P, Memory, Format>(there[0], back[1], n);
    } catch (...) {
      status = 1;
    }
    _exit(status);
  }
  kj::AutoCloseFd in(back[0]), out(there[1]);
  close(there[0]);
  close(back[1]);

  kj::FdInputStream raw(in.get());
  char ready;
  raw.read(&ready, 1);
  uint64_t start = now();
  typename Format::Input input(raw);
  CountingOutput output(out.get());
  typename Memory::BuilderSpace builderSpace;
  typename Memory::ReaderSpace readerSpace;
  for (long i = 0; i < n; i++) {
    uint64_t expected;
    {
      typename Memory::Builder request(builderSpace);
      expected = P::request(request.template initRoot<typename P::Request>());
      Format::write(output, request);
    }
    typename Format::StreamReader response(input, capnp::ReaderOptions(), Memory::room(readerSpace));
    auto result = response.template getRoot<typename P::Response>();
    require(P::accept(result, expected));
    if (probe != nullptr) probe->response<P>(expected, result);
  }
  uint64_t elapsed = now() - start;
  uint64_t answered;
  input.read(&answered, sizeof answered);
  if (probe != nullptr) probe->size = output.written + answered;
  int status;
  if (waitpid(server, &status, 0) != server || status != 0) fail("the server failed");
  return elapsed;
}

// ------------------------------------------------------------------- the cases

struct Work {
  // Carries n iterations out from the seed; the time that took, in nanoseconds.
  std::function<uint64_t(long, Probe*)> run;
  // Tells that where the bytes lie is not the library's choice.
  bool comparable;
};

std::map<std::string, Work> works;

template <typename Do>
std::function<uint64_t(long, Probe*)> timed(Do iterate) {
  return [iterate](long n, Probe* probe) {
    uint64_t start = now();
    iterate(n, probe);
    return now() - start;
  };
}

template <typename P, typename Memory>
void add(const std::string& program, const std::string& reuse, bool comparable) {
  works[program + "/object/" + reuse] = {timed(passObjects<P, Memory>), false};
  works[program + "/bytes/" + reuse] = {timed(passBytes<P, Memory, Plain>), comparable};
  works[program + "/packed/" + reuse] = {timed(passBytes<P, Memory, Packed>), comparable};
  works[program + "/pipe/" + reuse] = {passPipe<P, Memory, Plain>, false};
  works[program + "/pipe-packed/" + reuse] = {passPipe<P, Memory, Packed>, false};
}

std::string carryOut(const std::string& line) {
  std::istringstream in(line);
  std::string verb, who, name;
  in >> verb;
  std::ostringstream out;
  if (verb == "version") {
    out << "ok libcapnp " << CAPNP_VERSION_MAJOR << "." << CAPNP_VERSION_MINOR << "." << CAPNP_VERSION_MICRO
        << ", g++ " << __VERSION__;
    return out.str();
  }
  in >> who >> name;
  auto found = works.find(name);
  if (found == works.end()) return "no such case: " + line;
  const Work& work = found->second;
  seed();
  if (verb == "check") {
    Probe probe;
    probe.hashing = true;
    work.run(checkIterations, &probe);
    out << "ok " << std::hex << probe.values.h << " " << (work.comparable ? probe.bytes.h : 0) << std::dec << " "
        << probe.size;
    return out.str();
  }
  long n = 0;
  if (!(in >> n) || n <= 0) return "no such command: " + line;
  if (verb == "run") {
    out << "ok " << work.run(n, nullptr) << " -1 -1"; // nobody counts allocations here
    return out.str();
  }
  if (verb == "total") {
    Probe probe;
    work.run(n, &probe);
    out << "ok " << probe.size;
    return out.str();
  }
  return "no such command: " + line;
}

} // namespace

int main() {
  add<CarSales, Kept>("carsales", "reuse", true);
  add<CarSales, Fresh>("carsales", "noreuse", false);
  add<CatRank, Kept>("catrank", "reuse", true);
  add<CatRank, Fresh>("catrank", "noreuse", false);
  add<Eval, Kept>("eval", "reuse", true);
  add<Eval, Fresh>("eval", "noreuse", false);

  std::string line;
  while (std::getline(std::cin, line)) {
    std::string reply;
    try {
      reply = carryOut(line);
    } catch (const kj::Exception& e) {
      reply = std::string("no ") + e.getDescription().cStr();
    } catch (const std::exception& e) {
      reply = std::string("no ") + e.what();
    }
    for (char& c : reply) {
      if (c == '\n') c = ' ';
    }
    std::cout << reply << std::endl;
  }
}
