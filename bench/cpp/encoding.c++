// The C++ side of the encoding suite: a process that measures libcapnp. It
// reads commands from standard input and answers each with a line, as
// harness/child.go describes. It makes the same values as encoding/model.go.
//
// What libcapnp is given for its best: builders start in a large scratch
// segment that is kept (the destructor clears as much as was used); messages
// of many segments take theirs from kept memory, too; a large blob is adopted
// as external data, not copied; output goes to kept memory. Of reading there
// are two contestants: "held" makes the reader once and keeps its root,
// "new" makes a reader for each message, as a receiver of messages would.

#include <capnp/message.h>
#include <capnp/orphan.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "bench.capnp.h"

namespace {

using capnp::word;

uint64_t sink = 0;

uint64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

// ---------------------------------------------------------------- the model

struct PhoneValue {
  std::string number;
  uint16_t type;
};

struct PersonValue {
  uint32_t id;
  std::string name, email;
  std::vector<PhoneValue> phones;
  uint16_t employment;
  std::string workplace;
};

struct AValue {
  std::string name = "Grace B. Hopper.";
  int64_t birthDay = 1131494400123456789;
  std::string phone = "5550123456";
  int32_t siblings = 2;
  bool spouse = true;
  double money = 1234567.8125;
};

std::vector<PersonValue> book2() {
  return {
      {123, "Alice", "alice@example.com", {{"555-1212", 0}}, 2, "MIT"},
      {456, "Bob", "bob@example.com", {{"555-4567", 1}, {"555-7654", 2}}, 0, ""},
  };
}

std::string lower(std::string s) {
  for (char& c : s) c = char(std::tolower(c));
  return s;
}

std::vector<PersonValue> bookOf(int n) {
  static const char* const first[] = {"Ada", "Grace", "Barbara", "Margaret", "Radia", "Frances", "Jean", "Katherine"};
  static const char* const last[] = {"Lovelace", "Hopper", "Liskov", "Hamilton", "Perlman", "Allen", "Bartik", "Johnson", "Goldwasser"};
  std::vector<PersonValue> people(n);
  for (int i = 0; i < n; i++) {
    std::string f = first[i % 8], l = last[i % 9];
    PersonValue& p = people[i];
    p.id = uint32_t(i * 7919 + 1);
    p.name = f + " " + l;
    p.email = lower(f) + "." + lower(l) + std::to_string(i) + "@example.com";
    for (int k = 0; k < 1 + i % 2; k++) {
      char number[16];
      std::snprintf(number, sizeof number, "555-%04d", (i * 37 + k * 11) % 10000);
      p.phones.push_back({number, uint16_t((i + k) % 3)});
    }
    p.employment = uint16_t(i % 4);
    if (p.employment == 1) p.workplace = "Company " + std::to_string(i);
    if (p.employment == 2) p.workplace = "School " + std::to_string(i);
  }
  return people;
}

constexpr size_t blobSize = 1 << 20;

// Held as words, because external data must be aligned.
kj::Array<word> blobWords() {
  auto words = kj::heapArray<word>(blobSize / sizeof(word));
  auto bytes = words.asBytes();
  for (size_t i = 0; i < blobSize; i++) bytes[i] = kj::byte(i * 7 + (i >> 8));
  return words;
}

capnp::Text::Reader text(const std::string& s) { return capnp::Text::Reader(s.c_str(), s.size()); }

// ------------------------------------------------------------ hash and sums

struct Hash {
  uint64_t h = 14695981039346656037u;
  void byte(uint8_t b) { h = (h ^ b) * 1099511628211u; }
  void number(uint64_t x) {
    for (int i = 0; i < 8; i++, x >>= 8) byte(uint8_t(x));
  }
  void bytes(kj::ArrayPtr<const kj::byte> b) {
    for (kj::byte c : b) byte(c);
  }
  void text(kj::ArrayPtr<const kj::byte> b) {
    number(b.size());
    bytes(b);
  }
};

uint64_t doubleBits(double d) {
  uint64_t u;
  std::memcpy(&u, &d, sizeof u);
  return u;
}

inline uint64_t textSum(capnp::Text::Reader t) {
  return t.size() == 0 ? 0 : t.size() + uint8_t(t.begin()[0]);
}

inline uint64_t dataSum(capnp::Data::Reader d) {
  return d.size() == 0 ? 0 : d.size() + d[0] + d[d.size() - 1];
}

inline uint64_t sumA(A::Reader a) {
  return textSum(a.getName()) + uint64_t(a.getBirthDay()) + textSum(a.getPhone()) +
         uint64_t(int64_t(a.getSiblings())) + (a.getSpouse() ? 1 : 0) + doubleBits(a.getMoney());
}

inline uint64_t sumBook(AddressBook::Reader book) {
  uint64_t sum = 0;
  for (auto p : book.getPeople()) {
    sum += p.getId() + textSum(p.getName()) + textSum(p.getEmail());
    for (auto n : p.getPhones()) sum += textSum(n.getNumber()) + uint64_t(n.getType());
    auto e = p.getEmployment();
    sum += uint64_t(e.which());
    switch (e.which()) {
      case Person::Employment::EMPLOYER:
        sum += textSum(e.getEmployer());
        break;
      case Person::Employment::SCHOOL:
        sum += textSum(e.getSchool());
        break;
      default:
        break;
    }
  }
  return sum;
}

inline uint64_t sumBlob(Blob::Reader b) { return dataSum(b.getData()); }

void hashOf(Hash& h, A::Reader a) {
  h.text(a.getName().asBytes());
  h.number(uint64_t(a.getBirthDay()));
  h.text(a.getPhone().asBytes());
  h.number(uint64_t(int64_t(a.getSiblings())));
  h.number(a.getSpouse() ? 1 : 0);
  h.number(doubleBits(a.getMoney()));
}

void hashOf(Hash& h, AddressBook::Reader book) {
  h.number(book.getPeople().size());
  for (auto p : book.getPeople()) {
    h.number(p.getId());
    h.text(p.getName().asBytes());
    h.text(p.getEmail().asBytes());
    h.number(p.getPhones().size());
    for (auto n : p.getPhones()) {
      h.text(n.getNumber().asBytes());
      h.number(uint64_t(n.getType()));
    }
    auto e = p.getEmployment();
    h.number(uint64_t(e.which()));
    if (e.isEmployer()) {
      h.text(e.getEmployer().asBytes());
    } else if (e.isSchool()) {
      h.text(e.getSchool().asBytes());
    } else {
      h.text(nullptr);
    }
  }
}

void hashOf(Hash& h, Blob::Reader b) { h.text(b.getData()); }

// ------------------------------------------------------------------ building

// Scratch of a builder's first segment, all zero between two messages.
struct Scratch {
  kj::Array<word> words;
  explicit Scratch(size_t n) : words(kj::heapArray<word>(n)) { std::memset(words.begin(), 0, n * sizeof(word)); }
};

// A builder whose segments, all of one size, lie in kept memory; libcapnp's own
// would allocate all but the first anew.
class KeptSegments final : public capnp::MessageBuilder {
public:
  KeptSegments(kj::ArrayPtr<word> memory, size_t segmentWords) : memory(memory), segmentWords(segmentWords) {}
  ~KeptSegments() noexcept(false) {
    for (auto s : getSegmentsForOutput()) {
      std::memset(const_cast<word*>(s.begin()), 0, s.size() * sizeof(word));
    }
  }
  kj::ArrayPtr<word> allocateSegment(capnp::uint minimum) override {
    size_t n = kj::max(size_t(minimum), segmentWords);
    KJ_REQUIRE(used + n <= memory.size(), "the kept memory is too small");
    auto s = memory.slice(used, used + n);
    used += n;
    return s;
  }

private:
  kj::ArrayPtr<word> memory;
  size_t segmentWords;
  size_t used = 0;
};

inline void fill(const AValue& v, capnp::MessageBuilder& m) {
  auto a = m.initRoot<A>();
  a.setName(text(v.name));
  a.setBirthDay(v.birthDay);
  a.setPhone(text(v.phone));
  a.setSiblings(v.siblings);
  a.setSpouse(v.spouse);
  a.setMoney(v.money);
}

inline void fill(const std::vector<PersonValue>& people, capnp::MessageBuilder& m) {
  auto list = m.initRoot<AddressBook>().initPeople(people.size());
  for (size_t i = 0; i < people.size(); i++) {
    const PersonValue& v = people[i];
    auto p = list[i];
    p.setId(v.id);
    p.setName(text(v.name));
    p.setEmail(text(v.email));
    auto phones = p.initPhones(v.phones.size());
    for (size_t j = 0; j < v.phones.size(); j++) {
      phones[j].setNumber(text(v.phones[j].number));
      phones[j].setType(Person::PhoneNumber::Type(v.phones[j].type));
    }
    auto e = p.getEmployment();
    switch (v.employment) {
      case 0:
        e.setUnemployed();
        break;
      case 1:
        e.setEmployer(text(v.workplace));
        break;
      case 2:
        e.setSchool(text(v.workplace));
        break;
      default:
        e.setSelfEmployed();
        break;
    }
  }
}

inline void fill(const kj::Array<word>& blob, capnp::MessageBuilder& m) {
  auto orphan = m.getOrphanage().referenceExternalData(blob.asBytes());
  m.initRoot<Blob>().adoptData(kj::mv(orphan));
}

// Socket is the discarding socket of encoding/socket.go: it copies each byte
// once into a window that stays in the cache.
class Socket final : public kj::OutputStream {
public:
  void write(const void* buffer, size_t size) override {
    const kj::byte* p = static_cast<const kj::byte*>(buffer);
    written += size;
    while (size > 0) {
      size_t n = kj::min(size, sizeof window);
      std::memcpy(window, p, n);
      p += n;
      size -= n;
      asm volatile("" : : "r"(window) : "memory");
    }
  }
  void write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto p : pieces) write(p.begin(), p.size());
  }
  uint64_t written = 0;

private:
  kj::byte window[64 << 10];
};

// ----------------------------------------------------------------- contestants

struct Answer {
  uint64_t values = 0, bytes = 0;
  size_t size = 0;
};

struct Work {
  std::function<Answer()> check;
  std::function<void(long)> run;
};

std::map<std::string, Work> works;

[[noreturn]] void fail(const std::string& why) { throw std::runtime_error(why); }

capnp::ReaderOptions unlimited() {
  capnp::ReaderOptions o;
  // A root that is held would use up its budget over the iterations.
  o.traversalLimitInWords = kj::maxValue;
  return o;
}

template <typename Root>
Answer answerFor(kj::ArrayPtr<const word> framed, bool comparable) {
  capnp::FlatArrayMessageReader reader(framed, unlimited());
  Hash values;
  hashOf(values, reader.getRoot<Root>());
  Answer a;
  a.values = values.h;
  if (comparable) {
    Hash bytes;
    bytes.bytes(framed.asBytes());
    a.bytes = bytes.h;
    a.size = framed.size() * sizeof(word);
  }
  return a;
}

// addBuilding adds build and encode of one shape in one segment, and returns
// the framed message.
template <typename Root, typename Value>
kj::Array<word> addBuilding(const std::string& shape, const Value& value, std::shared_ptr<Scratch> scratch, bool comparable) {
  kj::Array<word> framed;
  {
    capnp::MallocMessageBuilder m(scratch->words.asPtr());
    fill(value, m);
    framed = capnp::messageToFlatArray(m);
  }
  auto check = [&value, scratch, comparable]() {
    capnp::MallocMessageBuilder m(scratch->words.asPtr());
    fill(value, m);
    auto flat = capnp::messageToFlatArray(m);
    return answerFor<Root>(flat, comparable);
  };
  works["held " + shape + "/build"] = {check, [&value, scratch](long n) {
    for (long i = 0; i < n; i++) {
      capnp::MallocMessageBuilder m(scratch->words.asPtr());
      fill(value, m);
      asm volatile("" : : "r"(scratch->words.begin()) : "memory");
    }
  }};
  auto out = std::make_shared<kj::Array<word>>(kj::heapArray<word>(framed.size() + 8));
  works["held " + shape + "/encode"] = {check, [&value, scratch, out](long n) {
    for (long i = 0; i < n; i++) {
      capnp::MallocMessageBuilder m(scratch->words.asPtr());
      fill(value, m);
      kj::ArrayOutputStream stream(out->asBytes());
      capnp::writeMessage(stream, m);
      asm volatile("" : : "r"(out->begin()) : "memory");
    }
  }};
  return framed;
}

// addReading adds both ways to read framed, which must outlive the program's
// work.
template <typename Root, uint64_t (*sum)(typename Root::Reader)>
void addReading(const std::string& shape, kj::ArrayPtr<const word> framed, bool comparable) {
  auto check = [framed, comparable]() { return answerFor<Root>(framed, comparable); };
  auto reader = std::make_shared<capnp::FlatArrayMessageReader>(framed, unlimited());
  auto root = reader->getRoot<Root>();
  works["held " + shape + "/read"] = {check, [reader, root](long n) {
    for (long i = 0; i < n; i++) {
      asm volatile("" : : : "memory");
      sink += sum(root);
    }
  }};
  works["new " + shape + "/read"] = {check, [framed](long n) {
    for (long i = 0; i < n; i++) {
      asm volatile("" : : : "memory");
      capnp::FlatArrayMessageReader r(framed);
      sink += sum(r.getRoot<Root>());
    }
  }};
}

void addPacking(const std::string& shape, kj::ArrayPtr<const word> framed) {
  auto out = std::make_shared<kj::Array<kj::byte>>(kj::heapArray<kj::byte>(framed.asBytes().size() * 9 / 8 + 64));
  auto pack = [framed, out]() {
    auto content = framed.slice(1, framed.size()); // behind the table of the one segment
    kj::ArrayPtr<const word> segments[1] = {content};
    kj::ArrayOutputStream stream(*out);
    capnp::writePackedMessage(stream, kj::arrayPtr(segments, 1));
    return stream.getArray().size();
  };
  size_t packedSize = pack();
  auto packed = std::make_shared<kj::Array<kj::byte>>(kj::heapArray<kj::byte>(out->slice(0, packedSize)));
  works["held " + shape + "/pack"] = {[pack, out, framed]() {
    Answer a = answerFor<AddressBook>(framed, false);
    a.size = pack();
    Hash h;
    h.bytes(out->slice(0, a.size));
    a.bytes = h.h;
    return a;
  }, [pack](long n) {
    for (long i = 0; i < n; i++) sink += pack();
  }};
  auto unpacked = std::make_shared<kj::Array<word>>(kj::heapArray<word>(framed.size()));
  auto unpack = [packed, unpacked]() {
    kj::ArrayInputStream bytes(*packed);
    capnp::_::PackedInputStream stream(bytes);
    // The table first, as runs do not go on from there into the segment.
    auto all = unpacked->asBytes();
    stream.read(all.begin(), sizeof(word));
    stream.read(all.begin() + sizeof(word), all.size() - sizeof(word));
  };
  works["held " + shape + "/unpack"] = {[unpack, unpacked, framed]() {
    std::memset(unpacked->begin(), 0xff, unpacked->asBytes().size());
    unpack();
    return answerFor<AddressBook>(*unpacked, true);
  }, [unpack, unpacked](long n) {
    for (long i = 0; i < n; i++) {
      unpack();
      sink += unpacked->asBytes()[8];
    }
  }};
}

// addUnpackingReader adds unpacking as a receiver does it, with a reader for
// each message, whose segment goes to kept memory.
void addUnpackingReader(const std::string& shape, kj::ArrayPtr<const word> framed) {
  kj::VectorOutputStream stream;
  kj::ArrayPtr<const word> segments[1] = {framed.slice(1, framed.size())}; // behind the table
  capnp::writePackedMessage(stream, kj::arrayPtr(segments, 1));
  auto packed = std::make_shared<kj::Array<kj::byte>>(kj::heapArray<kj::byte>(stream.getArray()));
  auto scratch = std::make_shared<kj::Array<word>>(kj::heapArray<word>(framed.size() + 8));
  works["new " + shape + "/unpack"] = {[packed, scratch]() {
    kj::ArrayInputStream bytes(*packed);
    capnp::PackedMessageReader reader(bytes, unlimited(), *scratch);
    auto segment = reader.getSegment(0);
    auto flat = capnp::messageToFlatArray(kj::arrayPtr(&segment, 1));
    return answerFor<AddressBook>(flat, true);
  }, [packed, scratch](long n) {
    for (long i = 0; i < n; i++) {
      kj::ArrayInputStream bytes(*packed);
      capnp::PackedMessageReader reader(bytes, capnp::ReaderOptions(), *scratch);
      sink += reader.getSegment(0).size();
    }
  }};
}

void addSegmented(const std::string& shape, const std::vector<PersonValue>& people, size_t segmentWords) {
  auto memory = std::make_shared<Scratch>(64 << 10);
  works["held " + shape + "/build"] = {[&people, memory, segmentWords]() {
    KeptSegments m(memory->words, segmentWords);
    fill(people, m);
    if (m.getSegmentsForOutput().size() < 8) fail("the message has too few segments");
    auto flat = capnp::messageToFlatArray(m);
    return answerFor<AddressBook>(flat, false); // where the segments end is the library's choice
  }, [&people, memory, segmentWords](long n) {
    for (long i = 0; i < n; i++) {
      KeptSegments m(memory->words, segmentWords);
      fill(people, m);
      asm volatile("" : : "r"(memory->words.begin()) : "memory");
    }
  }};
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
  auto found = works.find(who + " " + name);
  if (found == works.end()) return "no such contestant and case: " + line;
  if (verb == "check") {
    Answer a = found->second.check();
    out << "ok " << std::hex << a.values << " " << a.bytes << std::dec << " " << a.size;
    return out.str();
  }
  long n = 0;
  if (verb == "run" && in >> n && n > 0) {
    uint64_t start = now();
    found->second.run(n);
    uint64_t elapsed = now() - start;
    out << "ok " << elapsed << " -1 -1"; // nobody counts allocations here
    return out.str();
  }
  return "no such command: " + line;
}

} // namespace

int main() {
  const AValue a;
  const auto two = book2();
  const auto thousand = bookOf(1000);
  const auto blob = blobWords();
  auto scratch = std::make_shared<Scratch>(64 << 10);

  auto framedA = addBuilding<A>("A", a, scratch, true);
  addReading<A, sumA>("A", framedA, true);
  auto framedTwo = addBuilding<AddressBook>("book2", two, scratch, true);
  addReading<AddressBook, sumBook>("book2", framedTwo, true);
  auto framedThousand = addBuilding<AddressBook>("book1000", thousand, scratch, true);
  addReading<AddressBook, sumBook>("book1000", framedThousand, true);
  addPacking("book1000", framedThousand);
  addUnpackingReader("book1000", framedThousand);
  addSegmented("book1000seg", thousand, 1024);
  // External data is a segment of its own, where other contestants copy.
  auto framedBlob = addBuilding<Blob>("blob1M", blob, scratch, false);
  addReading<Blob, sumBlob>("blob1M", framedBlob, false);
  auto socket = std::make_shared<Socket>();
  works["held blob1M/encode"].run = [&blob, scratch, socket](long n) {
    for (long i = 0; i < n; i++) {
      capnp::MallocMessageBuilder m(scratch->words.asPtr());
      fill(blob, m);
      capnp::writeMessage(*socket, m);
    }
  };

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
  return sink == 1 ? 1 : 0;
}
