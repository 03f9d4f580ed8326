// What libcapnp complains of, noted and sorted.
#pragma once

#include <kj/exception.h>
#include <string.h>

#include <string>

namespace peer {

enum Kind : uint8_t {
  kNone = 0,
  kLimit = 1,
  kNesting = 2,
  kMalformed = 3,
  kFraming = 4,
  kEof = 5,
  kMemory = 6,
  kCapability = 7,
  kInternal = 8,
  kTooLarge = 9,
  kRequest = 10,
};

inline const char* kindName(Kind k) {
  switch (k) {
    case kLimit: return "limit";
    case kNesting: return "nesting";
    case kFraming: return "framing";
    case kEof: return "eof";
    case kMemory: return "memory";
    case kCapability: return "capability";
    case kInternal: return "internal";
    case kTooLarge: return "toolarge";
    case kRequest: return "request";
    default: return "malformed";
  }
}

inline bool has(const char* text, const char* part) { return strstr(text, part) != nullptr; }

inline Kind classify(const char* text) {
  if (has(text, "traversal limit") || has(text, "amplified list pointer")) return kLimit;
  if (has(text, "too deeply-nested")) return kNesting;
  // A stream that ends cleanly and one that ends early are the same words in
  // libcapnp; the caller knows whether it had read anything.
  if (has(text, "Premature EOF")) return kEof;
  if (has(text, "ends prematurely") || has(text, "too many segments") ||
      has(text, "Message is too large") || has(text, "segment boundary") ||
      has(text, "in the middle of a raw") || has(text, "Message has no segments")) {
    return kFraming;
  }
  if (has(text, "canonical message with a capability") || has(text, "capability context") ||
      has(text, "invalid capability pointer")) {
    return kCapability;
  }
  return kMalformed;
}

// Recorder sees every exception before it is thrown. While it records, a
// recoverable one is noted and libcapnp goes on with the default value, as it
// is documented to do where C++ exceptions are off.
class Recorder final: public kj::ExceptionCallback {
public:
  bool throwing = false;
  uint64_t count = 0;
  Kind first = kNone;
  Kind last = kNone;
  std::string text;

  void reset(bool nowThrowing) {
    throwing = nowThrowing;
    count = 0;
    first = kNone;
    last = kNone;
    text.clear();
  }

  // since returns the kind of the first fault after mark, if the count was
  // before then.
  Kind since(uint64_t before) const { return count == before ? kNone : last; }
  void mark() { last = kNone; }

  void note(Kind kind, const char* description) {
    if (count++ == 0) {
      first = kind;
      text = description;
    }
    if (last == kNone) last = kind;
  }

  void onRecoverableException(kj::Exception&& e) override {
    auto description = e.getDescription();
    note(classify(description.cStr()), description.cStr());
    if (throwing) throw kj::mv(e);
  }
  void onFatalException(kj::Exception&& e) override {
    auto description = e.getDescription();
    note(classify(description.cStr()), description.cStr());
    throw kj::mv(e);
  }
  void logMessage(kj::LogSeverity, const char*, int, int, kj::String&&) override {}
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
};

inline Recorder* recorder;

}  // namespace peer
