// A peer for the tests: packs and unpacks messages with libcapnp. Requests and
// answers are an operation or status byte, a length (32 bits, in the machine's
// order) and so many bytes.
//
//   'p'  a framed message without empty segments; the answer is its packed form
//   'u'  a packed message; the answer is 32 bits that say how many bytes were
//        read of it, and the content of its segments; status 'e' and a text if there is
//        none
#include <capnp/serialize-packed.h>
#include <kj/io.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

using capnp::word;

static std::vector<kj::ArrayPtr<const word>> segmentsOf(capnp::MessageReader& m) {
  std::vector<kj::ArrayPtr<const word>> segments;
  for (uint i = 0; i < 512; i++) {  // a reader takes no more, and empty ones look like missing ones
    auto s = m.getSegment(i);
    if (s.size() != 0) segments.push_back(s);
  }
  return segments;
}

static kj::ArrayPtr<const kj::ArrayPtr<const word>> view(std::vector<kj::ArrayPtr<const word>>& v) {
  return kj::arrayPtr(v.data(), v.size());
}

static std::string pack(const std::string& in) {
  std::vector<word> words(in.size() / sizeof(word));
  memcpy(words.data(), in.data(), words.size() * sizeof(word));
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 1 << 24;
  capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()), options);
  auto segments = segmentsOf(reader);
  kj::VectorOutputStream out;
  capnp::writePackedMessage(out, view(segments));
  auto bytes = out.getArray();
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

static std::string unpack(const std::string& in) {
  kj::ArrayInputStream stream(kj::arrayPtr(reinterpret_cast<const kj::byte*>(in.data()), in.size()));
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 1 << 16;
  capnp::PackedMessageReader reader(stream, options);
  auto segments = segmentsOf(reader);
  uint32_t read = in.size() - stream.tryGetReadBuffer().size();
  std::string out(reinterpret_cast<const char*>(&read), sizeof(read));
  for (auto s : segments) {
    out.append(reinterpret_cast<const char*>(s.begin()), s.size() * sizeof(word));
  }
  return out;
}

int main() {
  char op;
  uint32_t size;
  while (fread(&op, 1, 1, stdin) == 1 && fread(&size, sizeof(size), 1, stdin) == 1) {
    std::string in(size, '\0'), out;
    if (size != 0 && fread(&in[0], 1, size, stdin) != size) return 1;
    char status = 'o';
    try {
      out = op == 'p' ? pack(in) : unpack(in);
    } catch (const kj::Exception& e) {
      status = 'e';
      out = e.getDescription().cStr();
    }
    size = out.size();
    fwrite(&status, 1, 1, stdout);
    fwrite(&size, sizeof(size), 1, stdout);
    fwrite(out.data(), 1, size, stdout);
    fflush(stdout);
  }
  return 0;
}
