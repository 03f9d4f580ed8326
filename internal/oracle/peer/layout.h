// The layout of the schema as text, which layout.txt holds.
#pragma once

#include <capnp/message.h>
#include <capnp/schema.h>
#include <string.h>

#include <string>
#include <vector>

#include "dump.h"

namespace peer {

inline void hexOf(std::string& out, const void* p, size_t n) {
  Dumper d;
  d.hex(p, n);
  out += d.out;
}

inline void typeText(std::string& out, capnp::Type type) {
  if (type.isList()) {
    out += "list(";
    typeText(out, type.asList().getElementType());
    out += ')';
    return;
  }
  switch (type.which()) {
    case capnp::schema::Type::VOID: out += "void"; break;
    case capnp::schema::Type::BOOL: out += "bool"; break;
    case capnp::schema::Type::INT8: out += "i8"; break;
    case capnp::schema::Type::INT16: out += "i16"; break;
    case capnp::schema::Type::INT32: out += "i32"; break;
    case capnp::schema::Type::INT64: out += "i64"; break;
    case capnp::schema::Type::UINT8: out += "u8"; break;
    case capnp::schema::Type::UINT16: out += "u16"; break;
    case capnp::schema::Type::UINT32: out += "u32"; break;
    case capnp::schema::Type::UINT64: out += "u64"; break;
    case capnp::schema::Type::FLOAT32: out += "f32"; break;
    case capnp::schema::Type::FLOAT64: out += "f64"; break;
    case capnp::schema::Type::TEXT: out += "text"; break;
    case capnp::schema::Type::DATA: out += "data"; break;
    case capnp::schema::Type::ENUM: out += "enum"; break;
    case capnp::schema::Type::STRUCT:
      out += "struct:";
      out += type.asStruct().getShortDisplayName().cStr();
      break;
    case capnp::schema::Type::ANY_POINTER: out += "any"; break;
    default: out += "unsupported"; break;
  }
}

inline uint64_t bitsOf(capnp::schema::Value::Reader v) {
  uint64_t out = 0;
  float f;
  double d;
  switch (v.which()) {
    case capnp::schema::Value::BOOL: return v.getBool();
    case capnp::schema::Value::INT8: return static_cast<uint8_t>(v.getInt8());
    case capnp::schema::Value::INT16: return static_cast<uint16_t>(v.getInt16());
    case capnp::schema::Value::INT32: return static_cast<uint32_t>(v.getInt32());
    case capnp::schema::Value::INT64: return static_cast<uint64_t>(v.getInt64());
    case capnp::schema::Value::UINT8: return v.getUint8();
    case capnp::schema::Value::UINT16: return v.getUint16();
    case capnp::schema::Value::UINT32: return v.getUint32();
    case capnp::schema::Value::UINT64: return v.getUint64();
    case capnp::schema::Value::ENUM: return v.getEnum();
    case capnp::schema::Value::FLOAT32:
      f = v.getFloat32();
      memcpy(&out, &f, 4);
      return out;
    case capnp::schema::Value::FLOAT64:
      d = v.getFloat64();
      memcpy(&out, &d, 8);
      return out;
    default: return 0;
  }
}

inline void structText(std::string& out, capnp::StructSchema s) {
  auto proto = s.getProto().getStruct();
  std::string name = s.getShortDisplayName().cStr();
  if (proto.getIsGroup()) {
    // A group's short name is only its own; with its parent's it is unique.
    std::string full = s.getProto().getDisplayName().cStr();
    name = full.substr(full.find(':') + 1);
  }
  out += "struct " + name + " " + std::to_string(proto.getDataWordCount()) + " " +
      std::to_string(proto.getPointerCount()) + " ";
  out += proto.getDiscriminantCount() > 0 ? std::to_string(proto.getDiscriminantOffset()) : "-";
  out += '\n';
  std::vector<capnp::StructSchema> groups;
  for (auto f: s.getFields()) {
    auto p = f.getProto();
    std::string disc = p.getDiscriminantValue() == capnp::schema::Field::NO_DISCRIMINANT
        ? "-" : std::to_string(p.getDiscriminantValue());
    if (p.isGroup()) {
      auto g = f.getType().asStruct();
      std::string full = g.getProto().getDisplayName().cStr();
      out += std::string("group ") + p.getName().cStr() + " " + disc + " " +
          full.substr(full.find(':') + 1) + "\n";
      groups.push_back(g);
      continue;
    }
    auto slot = p.getSlot();
    out += std::string("field ") + p.getName().cStr() + " " + disc + " ";
    typeText(out, f.getType());
    out += " " + std::to_string(slot.getOffset()) + " ";
    auto v = slot.getDefaultValue();
    if (!slot.getHadExplicitDefault()) {
      out += '-';
    } else {
      capnp::MallocMessageBuilder b;
      auto root = b.getRoot<AnyPointer>();
      bool pointer = true;
      switch (v.which()) {
        case capnp::schema::Value::TEXT: root.setAs<capnp::Text>(v.getText()); break;
        case capnp::schema::Value::DATA: root.setAs<capnp::Data>(v.getData()); break;
        case capnp::schema::Value::LIST: root.set(v.getList()); break;
        case capnp::schema::Value::STRUCT: root.set(v.getStruct()); break;
        case capnp::schema::Value::ANY_POINTER: root.set(v.getAnyPointer()); break;
        default: pointer = false;
      }
      if (pointer) {
        auto bytes = b.getSegmentsForOutput()[0].asBytes();
        hexOf(out, bytes.begin(), bytes.size());
      } else {
        out += std::to_string(bitsOf(v));
      }
    }
    out += '\n';
  }
  for (auto g: groups) structText(out, g);
}

inline void layoutText(std::string& out) {
  structText(out, capnp::Schema::from<Everything>());
  structText(out, capnp::Schema::from<Defaults>());
  structText(out, capnp::Schema::from<Choice>());
  structText(out, capnp::Schema::from<Old>());
  structText(out, capnp::Schema::from<New>());
  structText(out, capnp::Schema::from<Point>());
  structText(out, capnp::Schema::from<Link>());
  structText(out, capnp::Schema::from<Nothing>());
  structText(out, capnp::Schema::from<Pixel>());
  structText(out, capnp::Schema::from<OldItem>());
  structText(out, capnp::Schema::from<NewItem>());
  structText(out, capnp::Schema::from<NewByte>());
  structText(out, capnp::Schema::from<NewShort>());
  structText(out, capnp::Schema::from<NewInt>());
  structText(out, capnp::Schema::from<NewLong>());
  structText(out, capnp::Schema::from<NewName>());
  structText(out, capnp::Schema::from<NewRow>());
  structText(out, capnp::Schema::from<NewBlank>());
  structText(out, capnp::Schema::from<NewBlob>());
}

}  // namespace peer
