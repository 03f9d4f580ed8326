// The dump of a message as text; protocol.go describes the format.
#pragma once

#include <capnp/any.h>
#include <capnp/schema.h>
#include <string.h>

#include <charconv>
#include <string>

#include "recorder.h"
#include "test.capnp.h"

namespace peer {

using namespace oracle;
using capnp::AnyList;
using capnp::AnyPointer;
using capnp::AnyStruct;
using capnp::ElementSize;
using capnp::List;
using capnp::word;

struct TooLarge {};
constexpr size_t kMaxDump = 64 << 20;

const char kHex[] = "0123456789abcdef";

class Dumper {
public:
  std::string out;

  void raw(const char* s) { out += s; }
  void raw(char c) { out += c; }

  void hex(const void* p, size_t n) {
    if (out.size() + 2 * n > kMaxDump) throw TooLarge();
    auto b = static_cast<const unsigned char*>(p);
    size_t at = out.size();
    out.resize(at + 2 * n);
    for (size_t i = 0; i < n; i++) {
      out[at + 2 * i] = kHex[b[i] >> 4];
      out[at + 2 * i + 1] = kHex[b[i] & 15];
    }
  }

  template <typename T>
  void number(T v) {
    char buf[24];
    auto r = std::to_chars(buf, buf + sizeof buf, v);
    out.append(buf, r.ptr - buf);
  }

  void bits(uint64_t v, int digits) {
    raw('x');
    for (int i = digits - 1; i >= 0; i--) raw(kHex[(v >> (4 * i)) & 15]);
  }

  void plain(bool v) { raw(v ? '1' : '0'); }
  void plain(int8_t v) { number(static_cast<int>(v)); }
  void plain(int16_t v) { number(static_cast<int>(v)); }
  void plain(int32_t v) { number(v); }
  void plain(int64_t v) { number(static_cast<long long>(v)); }
  void plain(uint8_t v) { number(static_cast<unsigned>(v)); }
  void plain(uint16_t v) { number(static_cast<unsigned>(v)); }
  void plain(uint32_t v) { number(v); }
  void plain(uint64_t v) { number(static_cast<unsigned long long>(v)); }
  void plain(Colour v) { number(static_cast<unsigned>(v)); }
  void plain(float v) {
    uint32_t b;
    memcpy(&b, &v, 4);
    bits(b, 8);
  }
  void plain(double v) {
    uint64_t b;
    memcpy(&b, &v, 8);
    bits(b, 16);
  }

  static bool isZero(float v) {
    uint32_t b;
    memcpy(&b, &v, 4);
    return b == 0;
  }
  static bool isZero(double v) {
    uint64_t b;
    memcpy(&b, &v, 8);
    return b == 0;
  }
  template <typename T>
  static bool isZero(T v) { return v == static_cast<T>(0); }

  void grow() {
    if (out.size() > kMaxDump) throw TooLarge();
  }

  template <typename T>
  void scalar(const char* name, T v) {
    if (isZero(v)) return;
    raw(name);
    raw('=');
    plain(v);
    raw('\n');
  }
  void scalar(const char*, capnp::Void) {}

  // pointer prints one pointer field; get is called at most once.
  template <typename F>
  void pointer(const char* name, bool set, bool hasDefault, F get) {
    if (!set && !hasDefault) return;
    grow();
    raw(name);
    raw(set ? ':' : '~');
    guarded(get);
    raw('\n');
  }

  template <typename F>
  void guarded(F get) {
    auto before = recorder->count;
    recorder->mark();
    auto v = get();
    if (recorder->count != before) {
      raw('!');
      raw(kindName(recorder->since(before)));
      return;
    }
    value(v);
  }

  void value(capnp::Text::Reader v) {
    raw('t');
    hex(v.begin(), v.size());
  }
  void value(capnp::Data::Reader v) {
    raw('d');
    hex(v.begin(), v.size());
  }

  void open(unsigned n) {
    raw('[');
    number(n);
  }
  void value(List<capnp::Void>::Reader l) {
    open(l.size());
    raw(']');
  }
  template <typename L>
  void scalars(L l) {
    open(l.size());
    for (unsigned i = 0; i < l.size(); i++) {
      raw(' ');
      plain(l[i]);
      grow();
    }
    raw(']');
  }
  void value(List<bool>::Reader l) { scalars(l); }
  void value(List<int8_t>::Reader l) { scalars(l); }
  void value(List<int16_t>::Reader l) { scalars(l); }
  void value(List<int32_t>::Reader l) { scalars(l); }
  void value(List<int64_t>::Reader l) { scalars(l); }
  void value(List<uint8_t>::Reader l) { scalars(l); }
  void value(List<uint16_t>::Reader l) { scalars(l); }
  void value(List<uint32_t>::Reader l) { scalars(l); }
  void value(List<uint64_t>::Reader l) { scalars(l); }
  void value(List<float>::Reader l) { scalars(l); }
  void value(List<double>::Reader l) { scalars(l); }
  void value(List<Colour>::Reader l) { scalars(l); }

  // Every other list: texts, data, lists, structs.
  template <typename T>
  void value(const T& l) { elements(l, 0); }
  template <typename L>
  auto elements(const L& l, int) -> decltype(l.size(), void()) {
    if constexpr (CAPNP_KIND(capnp::FromReader<decltype(l[0])>) == capnp::Kind::STRUCT) {
      if (tooDeep(l)) return;
    }
    open(l.size());
    raw('\n');
    for (unsigned i = 0; i < l.size(); i++) {
      grow();
      guarded([&] { return l[i]; });
      raw('\n');
    }
    raw(']');
  }
  // A struct in a list counts as a level of its own, so that of a list at the
  // limit every element is too deep: that prints as a fault of the list.
  template <typename L>
  bool tooDeep(const L& l) {
    if (l.size() == 0) return false;
    auto before = recorder->count;
    recorder->mark();
    l[0];
    if (recorder->count == before) return false;
    raw('!');
    raw(kindName(recorder->since(before)));
    return true;
  }
  template <typename S>
  void elements(const S& s, long) {
    raw("{\n");
    fields(s);
    raw('}');
  }

  void group(const char* name) {
    raw(name);
    raw("(\n");
  }
  void endGroup() { raw(")\n"); }
  void which(unsigned n) {
    raw('?');
    number(n);
    raw('\n');
  }

  // isSet tells whether a struct's pointer is not a word of zeros. The generated
  // has() follows far pointers and charges for their landing pads; that would
  // have to be done alike on the other side only to be compared.
  template <typename R>
  static bool isSet(R r, unsigned index) {
    AnyStruct::Reader any(r);
    if (index >= any.getPointerSection().size()) return false;
    uint64_t w;
    memcpy(&w, any.getDataSection().end() + 8 * index, 8);
    return w != 0;
  }
  template <typename R>
  static unsigned indexOf(R, const char* name) {
    auto schema = capnp::Schema::from<capnp::FromReader<R>>();
    return schema.getFieldByName(name).getProto().getSlot().getOffset();
  }

#define S(field, Name) scalar(field, r.get##Name())
#define POINTER(field, Name, hasDefault)                                          \
  do {                                                                            \
    static const unsigned index = indexOf(r, field);                              \
    bool set = isSet(r, index);                                                   \
    /* A default is read through a null struct: it has no limits of its own. */   \
    auto from = set ? r : decltype(r)();                                          \
    pointer(field, set, hasDefault, [&] { return from.get##Name(); });            \
  } while (0)
#define P(field, Name) POINTER(field, Name, false)
#define D(field, Name) POINTER(field, Name, true)

  void fields(Nothing::Reader) {}
  void fields(Pixel::Reader r) {
    S("x", X);
    S("y", Y);
  }
  void fields(Point::Reader r) {
    S("x", X);
    S("y", Y);
    P("label", Label);
    S("weight", Weight);
  }
  void fields(Link::Reader r) { P("next", Next); }

  void fields(Everything::Reader r) {
    S("flag", Flag);
    S("i8", I8);
    S("i16", I16);
    S("i32", I32);
    S("i64", I64);
    S("u8", U8);
    S("u16", U16);
    S("u32", U32);
    S("u64", U64);
    S("f32", F32);
    S("f64", F64);
    S("colour", Colour);
    S("flagTwo", FlagTwo);
    P("text", Text);
    P("data", Data);
    P("child", Child);
    P("nothing", Nothing);
    P("units", Units);
    P("flags", Flags);
    P("i8s", I8s);
    P("i16s", I16s);
    P("i32s", I32s);
    P("i64s", I64s);
    P("u8s", U8s);
    P("u16s", U16s);
    P("u32s", U32s);
    P("u64s", U64s);
    P("f32s", F32s);
    P("f64s", F64s);
    P("colours", Colours);
    P("texts", Texts);
    P("datas", Datas);
    P("matrix", Matrix);
    P("children", Children);
    P("nothings", Nothings);
    P("pixels", Pixels);
    P("points", Points);
    P("links", Links);
    P("any", Any);
    P("cap", Cap);
    P("defaults", Defaults);
    P("choice", Choice);
    group("box");
    {
      auto whole = r;
      auto r = whole.getBox();
      S("width", Width);
      S("height", Height);
      P("title", Title);
    }
    endGroup();
    P("choices", Choices);
    P("point", Point);
    P("grid", Grid);
    P("pages", Pages);
    P("shapes", Shapes);
    P("bitRows", BitRows);
  }

  void fields(Defaults::Reader r) {
    S("flag", Flag);
    S("i8", I8);
    S("i16", I16);
    S("i32", I32);
    S("i64", I64);
    S("u8", U8);
    S("u16", U16);
    S("u32", U32);
    S("u64", U64);
    S("f32", F32);
    S("f64", F64);
    S("f32Nan", F32Nan);
    S("f64Inf", F64Inf);
    S("colour", Colour);
    S("flagOff", FlagOff);
    D("text", Text);
    D("data", Data);
    D("point", Point);
    D("flags", Flags);
    D("i32s", I32s);
    D("u8s", U8s);
    D("f64s", F64s);
    D("texts", Texts);
    D("points", Points);
    D("pixels", Pixels);
    D("units", Units);
    P("child", Child);
    D("emptyText", EmptyText);
  }

  void fields(Choice::Reader r) {
    which(static_cast<unsigned>(r.which()));
    S("before", Before);
    switch (r.which()) {
      case Choice::NIL: break;
      case Choice::NUM: S("num", Num); break;
      case Choice::STR: P("str", Str); break;
      case Choice::KID: P("kid", Kid); break;
      case Choice::LIST: P("list", List); break;
      case Choice::PAIR: {
        group("pair");
        auto whole = r;
        {
          auto r = whole.getPair();
          S("a", A);
          P("b", B);
        }
        endGroup();
        break;
      }
    }
    group("shape");
    {
      auto whole = r;
      auto r = whole.getShape();
      which(static_cast<unsigned>(r.which()));
      switch (r.which()) {
        case Choice::Shape::CIRCLE: S("circle", Circle); break;
        case Choice::Shape::SQUARE: S("square", Square); break;
        case Choice::Shape::BLOB: P("blob", Blob); break;
        case Choice::Shape::DOT: P("dot", Dot); break;
        case Choice::Shape::NONE: break;
      }
    }
    endGroup();
    S("after", After);
  }

  void fields(OldItem::Reader r) {
    S("n", N);
    P("s", S);
  }

  template <typename R>
  void oldFields(R r) {
    S("a", A);
    P("b", B);
    P("one", One);
    P("many", Many);
    P("bits", Bits);
    P("bytes", Bytes);
    P("shorts", Shorts);
    P("ints", Ints);
    P("longs", Longs);
    P("names", Names);
    P("rows", Rows);
    P("blanks", Blanks);
    P("blobs", Blobs);
  }
  void fields(Old::Reader r) { oldFields(r); }
  void fields(New::Reader r) {
    oldFields(r);
    S("c", C);
    P("d", D);
  }
  void fields(NewItem::Reader r) {
    S("n", N);
    P("s", S);
    S("m", M);
    D("t", T);
  }
  void fields(NewByte::Reader r) {
    S("v", V);
    S("w", W);
  }
  void fields(NewShort::Reader r) {
    S("v", V);
    S("w", W);
    P("note", Note);
  }
  void fields(NewInt::Reader r) {
    S("v", V);
    S("w", W);
  }
  void fields(NewLong::Reader r) {
    S("v", V);
    S("w", W);
    P("note", Note);
  }
  void fields(NewName::Reader r) {
    P("s", S);
    S("n", N);
    P("t", T);
  }
  void fields(NewRow::Reader r) {
    P("r", R);
    S("n", N);
  }
  void fields(NewBlank::Reader r) { S("v", V); }
  void fields(NewBlob::Reader r) { P("d", D); }

#undef S
#undef P
#undef D
#undef POINTER

  // The walk that knows no schema.
  void value(AnyPointer::Reader p) {
    auto before = recorder->count;
    recorder->mark();
    auto type = p.getPointerType();
    if (recorder->count != before) {
      raw('!');
      raw(kindName(recorder->since(before)));
      return;
    }
    switch (type) {
      case capnp::PointerType::NULL_: raw('~'); break;
      case capnp::PointerType::STRUCT: guarded([&] { return p.getAs<AnyStruct>(); }); break;
      case capnp::PointerType::LIST: guarded([&] { return p.getAs<AnyList>(); }); break;
      case capnp::PointerType::CAPABILITY: raw("cap"); break;
    }
  }
  void value(AnyStruct::Reader s) {
    grow();
    auto data = s.getDataSection();
    auto pointers = s.getPointerSection();
    raw('s');
    number(data.size());
    raw(',');
    number(pointers.size());
    raw(' ');
    hex(data.begin(), data.size());
    raw("(\n");
    for (unsigned i = 0; i < pointers.size(); i++) {
      value(pointers[i]);
      raw('\n');
    }
    raw(')');
  }
  void value(AnyList::Reader l) {
    grow();
    switch (l.getElementSize()) {
      case ElementSize::VOID:
        raw('v');
        open(l.size());
        raw(']');
        break;
      case ElementSize::BIT:
        raw('b');
        scalars(l.as<List<bool>>());
        break;
      case ElementSize::BYTE: whole('1', l); break;
      case ElementSize::TWO_BYTES: whole('2', l); break;
      case ElementSize::FOUR_BYTES: whole('4', l); break;
      case ElementSize::EIGHT_BYTES: whole('8', l); break;
      case ElementSize::POINTER: {
        raw('p');
        open(l.size());
        raw('\n');
        auto ptrs = l.as<List<AnyPointer>>();
        for (unsigned i = 0; i < ptrs.size(); i++) {
          value(ptrs[i]);
          raw('\n');
        }
        raw(']');
        break;
      }
      case ElementSize::INLINE_COMPOSITE: {
        auto structs = l.as<List<AnyStruct>>();
        if (tooDeep(structs)) break;
        raw('c');
        open(l.size());
        raw('\n');
        for (unsigned i = 0; i < structs.size(); i++) {
          guarded([&]() -> AnyStruct::Reader { return structs[i]; });
          raw('\n');
        }
        raw(']');
        break;
      }
    }
  }
  void whole(char code, AnyList::Reader l) {
    auto bytes = l.getRawBytes();
    raw(code);
    open(l.size());
    raw(' ');
    hex(bytes.begin(), bytes.size());
    raw(']');
  }
};

}  // namespace peer
