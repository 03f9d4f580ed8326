// The peer of package oracle: a long-lived child process that does to a
// message what Fairlead does, with the real libcapnp, and says what it saw.
// The requests, the answers and the dump's format are in protocol.go; the two
// files change together.

#include <capnp/any.h>
#include <capnp/capability.h>
#include <capnp/message.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <new>
#include <string>
#include <vector>

#include "dump.h"
#include "layout.h"
#include "recorder.h"

namespace {

using namespace peer;

enum Op : uint8_t {
  kWalk = 1,
  kAny = 2,
  kSize = 3,
  kCanonical = 4,
  kCopy = 5,
  kEqual = 6,
  kFrame = 7,
  kPack = 8,
  kUnpack = 9,
  kUpgrade = 10,
  kLayout = 11,
};

enum Flag : uint16_t {
  kRaw = 1,     // pack, unpack: bytes rather than a message
  kAnyRoot = 2, // canonical: of whatever the root is
  kAbort = 4,   // die: the test of what the other side does then
  kHang = 8,   // the same, silently
};

struct Request {
  uint8_t op;
  uint8_t type;
  uint16_t flags;
  uint32_t nesting;
  uint64_t limit;
  uint32_t arg;
  uint32_t lenA;
  uint32_t lenB;
};
constexpr size_t kHeader = 28;

struct Aligned {
  kj::Array<word> words;
  explicit Aligned(const char* p, size_t n): words(kj::heapArray<word>((n + 7) / 8)) {
    if (n % 8 != 0) words[words.size() - 1] = word();
    memcpy(words.begin(), p, n);
  }
};

template <typename M>
void dumpAs(Dumper& d, M& message, uint8_t type) {
  switch (type) {
    case 0: d.guarded([&] { return message.template getRoot<Everything>(); }); break;
    case 1: d.guarded([&] { return message.template getRoot<Defaults>(); }); break;
    case 2: d.guarded([&] { return message.template getRoot<Choice>(); }); break;
    case 3: d.guarded([&] { return message.template getRoot<Old>(); }); break;
    case 4: d.guarded([&] { return message.template getRoot<New>(); }); break;
    case 5: d.guarded([&] { return message.template getRoot<Point>(); }); break;
    case 6: d.guarded([&] { return message.template getRoot<Link>(); }); break;
    case 7: d.guarded([&] { return message.template getRoot<Nothing>(); }); break;
    case 8: d.guarded([&] { return message.template getRoot<AnyPointer>(); }); break;
    default: recorder->note(kRequest, "unknown root type");
  }
  d.raw('\n');
}

// Capabilities answers for every index of a message's capability pointers, so
// that a message that holds some can be copied.
class Capabilities final: public capnp::_::CapTableReader {
public:
  kj::Maybe<kj::Own<capnp::ClientHook>> extractCap(unsigned) override { return hook->addRef(); }

private:
  kj::Own<capnp::ClientHook> hook = capnp::newBrokenCap("a test has no capabilities");
};

// rootOf gives the root of a message with such a table.
AnyPointer::Reader rootOf(capnp::MessageReader& reader) {
  static Capabilities table;
  auto root = reader.getRoot<AnyPointer>();
  return capnp::_::PointerHelpers<AnyPointer>::getInternalReader(root).imbue(&table);
}

void putBytes(std::string& out, const void* p, size_t n) {
  out.append(static_cast<const char*>(p), n);
}
void put32(std::string& out, uint32_t v) { putBytes(out, &v, 4); }

void putMessage(std::string& out, capnp::MessageBuilder& b) {
  auto flat = capnp::messageToFlatArray(b);
  auto bytes = flat.asBytes();
  putBytes(out, bytes.begin(), bytes.size());
}

capnp::ReaderOptions unlimited() {
  capnp::ReaderOptions o;
  o.traversalLimitInWords = uint64_t(1) << 40;
  o.nestingLimit = 1 << 20;
  return o;
}

// appendDump reads the built message back as a stranger would. What its type
// cannot read marks the dump, and is no fault of the building.
void appendDump(std::string& out, capnp::MessageBuilder& b, uint8_t type) {
  recorder->reset(false);
  capnp::SegmentArrayMessageReader again(b.getSegmentsForOutput(), unlimited());
  Dumper d;
  dumpAs(d, again, type);
  recorder->reset(true);
  put32(out, d.out.size());
  out += d.out;
}

void upgrade(New::Builder r) {
  if (r.hasOne()) r.getOne();
  if (r.hasMany()) r.getMany();
  if (r.hasBits()) r.getBits();
  if (r.hasBytes()) r.getBytes();
  if (r.hasShorts()) r.getShorts();
  if (r.hasInts()) r.getInts();
  if (r.hasLongs()) r.getLongs();
  if (r.hasNames()) r.getNames();
  if (r.hasRows()) r.getRows();
  if (r.hasBlanks()) r.getBlanks();
  if (r.hasBlobs()) r.getBlobs();
}

uint32_t countSegments(const word* first) {
  uint32_t n;
  memcpy(&n, first, 4);
  return n + 1;
}

void listSegments(std::string& out, capnp::MessageReader& reader, uint32_t n) {
  out += " segs=";
  for (uint32_t i = 0; i < n; i++) {
    if (i > 0) out += ',';
    out += std::to_string(reader.getSegment(i).size());
  }
}

template <typename F>
void frameLine(std::string& out, const char* name, F read) {
  recorder->reset(true);
  out += name;
  try {
    std::string line;
    read(line);
    out += " ok" + line + "\n";
  } catch (kj::Exception&) {
    out += std::string(" error ") + kindName(recorder->first) + "\n";
  }
}

void run(const Request& q, const char* a, const char* b, std::string& out) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = q.limit;
  options.nestingLimit = q.nesting > 0x7fffffff ? 0x7fffffff : q.nesting;

  recorder->reset(q.op != kWalk && q.op != kAny);
  if (q.op == kLayout) {
    layoutText(out);
    return;
  }
  if (q.flags & kAbort) abort();
  if (q.flags & kHang) for (;;) pause();

  if (q.op == kFrame) {
    frameLine(out, "stream", [&](std::string& line) {
      kj::ArrayInputStream in(kj::arrayPtr(reinterpret_cast<const kj::byte*>(a), q.lenA));
      {
        capnp::InputStreamMessageReader reader(in, options);
        uint32_t n;
        memcpy(&n, a, 4);
        listSegments(line, reader, n + 1);
      }
      line += " used=" + std::to_string(q.lenA - in.tryGetReadBuffer().size());
    });
    frameLine(out, "flat", [&](std::string& line) {
      Aligned words(a, q.lenA / 8 * 8);
      capnp::FlatArrayMessageReader reader(words.words, options);
      // No bytes at all are a message of no segments to libcapnp.
      uint32_t n = words.words.size() == 0 ? 0 : countSegments(words.words.begin());
      listSegments(line, reader, n);
      line += " used=" + std::to_string((reader.getEnd() - words.words.begin()) * 8);
    });
    recorder->reset(true);
    return;
  }
  if (q.op == kUnpack) {
    kj::ArrayInputStream in(kj::arrayPtr(reinterpret_cast<const kj::byte*>(a), q.lenA));
    if (q.flags & kRaw) {
      std::string bytes(q.arg, 0);
      capnp::_::PackedInputStream unpacker(in);
      unpacker.read(&bytes[0], bytes.size());
      put32(out, q.lenA - in.tryGetReadBuffer().size());
      out += bytes;
      return;
    }
    uint32_t n;
    {
      kj::ArrayInputStream again(kj::arrayPtr(reinterpret_cast<const kj::byte*>(a), q.lenA));
      capnp::PackedMessageReader reader(again, options);
    }
    {
      // The count, for libcapnp does not tell it: the first word, unpacked by
      // hand, because the run that it starts may be longer than a word.
      unsigned char wordBytes[8] = {0};
      size_t at = 1;
      for (int i = 0; i < 8; i++) {
        if ((a[0] >> i) & 1) wordBytes[i] = a[at++];
      }
      memcpy(&n, wordBytes, 4);
      n++;
    }
    std::vector<kj::ArrayPtr<const word>> segments;
    {
      capnp::PackedMessageReader reader(in, options);
      for (uint32_t i = 0; i < n; i++) segments.push_back(reader.getSegment(i));
      auto flat = capnp::messageToFlatArray(kj::arrayPtr(segments.data(), segments.size()));
      auto bytes = flat.asBytes();
      put32(out, q.lenA - in.tryGetReadBuffer().size());
      putBytes(out, bytes.begin(), bytes.size());
    }
    return;
  }

  Aligned words(a, q.lenA / 8 * 8);
  if (q.op == kPack && (q.flags & kRaw)) {
    kj::VectorOutputStream sink;
    {
      capnp::_::PackedOutputStream packer(sink);
      packer.write(words.words.begin(), words.words.size() * 8);
    }
    putBytes(out, sink.getArray().begin(), sink.getArray().size());
    return;
  }

  // The segment table is judged strictly in every operation.
  recorder->throwing = true;
  capnp::FlatArrayMessageReader reader(words.words, options);
  recorder->throwing = q.op != kWalk && q.op != kAny;

  switch (q.op) {
    case kWalk:
    case kAny: {
      Dumper d;
      try {
        dumpAs(d, reader, q.op == kAny ? 8 : q.type);
      } catch (kj::Exception&) {
        // recorded; what was dumped before it stands
      }
      out += d.out;
      break;
    }
    case kSize: {
      auto size = reader.getRoot<AnyPointer>().targetSize();
      out += std::to_string(size.wordCount) + " " + std::to_string(size.capCount);
      break;
    }
    case kCanonical: {
      recorder->throwing = false;
      bool is;
      {
        capnp::FlatArrayMessageReader fresh(words.words, options);
        is = fresh.isCanonical();
      }
      out += recorder->count > 0 ? '2' : is ? '1' : '0';
      recorder->reset(true);
      if (q.flags & kAnyRoot) {
        auto root = reader.getRoot<AnyPointer>();
        auto size = root.targetSize();
        capnp::MallocMessageBuilder builder(size.wordCount + 1,
                                            capnp::AllocationStrategy::FIXED_SIZE);
        builder.getRoot<AnyPointer>().setCanonical(root);
        auto segment = builder.getSegmentsForOutput()[0].asBytes();
        putBytes(out, segment.begin(), segment.size());
      } else {
        auto canonical = reader.getRoot<AnyStruct>().canonicalize();
        auto bytes = canonical.asBytes();
        putBytes(out, bytes.begin(), bytes.size());
      }
      break;
    }
    case kCopy: {
      capnp::MallocMessageBuilder builder(q.arg, capnp::AllocationStrategy::FIXED_SIZE);
      builder.setRoot(rootOf(reader));
      appendDump(out, builder, q.type);
      putMessage(out, builder);
      break;
    }
    case kEqual: {
      Aligned other(b, q.lenB / 8 * 8);
      capnp::FlatArrayMessageReader right(other.words, options);
      switch (reader.getRoot<AnyPointer>().equals(right.getRoot<AnyPointer>())) {
        case capnp::Equality::NOT_EQUAL: out += "different"; break;
        case capnp::Equality::EQUAL: out += "equal"; break;
        case capnp::Equality::UNKNOWN_CONTAINS_CAPS: out += "unknown"; break;
      }
      break;
    }
    case kPack: {
      kj::VectorOutputStream sink;
      std::vector<kj::ArrayPtr<const word>> segments;
      uint32_t n = words.words.size() == 0 ? 0 : countSegments(words.words.begin());
      for (uint32_t i = 0; i < n; i++) segments.push_back(reader.getSegment(i));
      capnp::writePackedMessage(sink, kj::arrayPtr(segments.data(), segments.size()));
      putBytes(out, sink.getArray().begin(), sink.getArray().size());
      break;
    }
    case kUpgrade: {
      capnp::MallocMessageBuilder builder(q.arg, capnp::AllocationStrategy::FIXED_SIZE);
      builder.setRoot(rootOf(reader));
      appendDump(out, builder, q.type);
      upgrade(builder.getRoot<New>());
      appendDump(out, builder, 4);
      putMessage(out, builder);
      break;
    }
    default:
      recorder->note(kRequest, "unknown operation");
  }
}

void answer(const Request& q, const char* a, const char* b, std::string& out) {
  size_t start = out.size();
  std::string payload;
  bool fatal = false;
  try {
    run(q, a, b, payload);
  } catch (kj::Exception&) {
    fatal = true; // recorded
  } catch (TooLarge&) {
    recorder->count = 0;
    recorder->note(kTooLarge, "the dump is larger than 64 MiB");
    payload.clear();
  } catch (std::bad_alloc&) {
    recorder->count = 0;
    recorder->note(kMemory, "out of memory");
  } catch (std::exception& e) {
    recorder->count = 0;
    recorder->note(kInternal, e.what());
  }
  if (fatal && recorder->count == 0) recorder->note(kInternal, "exception");
  std::string text = recorder->count > 0 ? recorder->text.substr(0, 400) : std::string();
  put32(out, 4 + text.size() + payload.size());
  out += recorder->count > 0 ? '\1' : '\0';
  out += static_cast<char>(recorder->count > 0 ? recorder->first : kNone);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  out += text;
  out += payload;
  (void)start;
}

bool flush(std::string& out) {
  size_t at = 0;
  while (at < out.size()) {
    ssize_t n = write(1, out.data() + at, out.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
  }
  out.clear();
  return true;
}

Request parse(const char* p) {
  Request q;
  memcpy(&q.op, p, 1);
  memcpy(&q.type, p + 1, 1);
  memcpy(&q.flags, p + 2, 2);
  memcpy(&q.nesting, p + 4, 4);
  memcpy(&q.limit, p + 8, 8);
  memcpy(&q.arg, p + 16, 4);
  memcpy(&q.lenA, p + 20, 4);
  memcpy(&q.lenB, p + 24, 4);
  return q;
}

}  // namespace

int main() {
  // A mutant that makes libcapnp greedy ends in bad_alloc, not in a machine
  // that swaps.
  struct rlimit memory = {rlim_t(3) << 30, rlim_t(3) << 30};
  setrlimit(RLIMIT_AS, &memory);
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);

  Recorder callback;
  recorder = &callback;

  std::string in, out;
  size_t at = 0;
  std::vector<char> chunk(1 << 20);
  for (;;) {
    while (in.size() - at >= kHeader) {
      Request q = parse(in.data() + at);
      size_t need = kHeader + size_t(q.lenA) + q.lenB;
      if (in.size() - at < need) break;
      const char* a = in.data() + at + kHeader;
      answer(q, a, a + q.lenA, out);
      at += need;
      if (out.size() > (1 << 18) && !flush(out)) return 1;
    }
    in.erase(0, at);
    at = 0;
    if (!flush(out)) return 1;
    ssize_t n = read(0, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    in.append(chunk.data(), n);
  }
}
