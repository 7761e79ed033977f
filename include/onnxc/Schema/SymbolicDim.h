// A size, or an element of a small integer tensor, as far as it is known.
#ifndef ONNXC_SCHEMA_SYMBOLICDIM_H
#define ONNXC_SCHEMA_SYMBOLICDIM_H

#include "llvm/ADT/SmallVector.h"
#include <cstdint>

namespace onnxc {

class SymbolicDim {
public:
  SymbolicDim() = default;
  static SymbolicDim known(int64_t value) { return SymbolicDim(Kind::Known, value); }
  /// Equal ids mean equal values, which are sizes, so never negative.
  static SymbolicDim symbol(int64_t id) { return SymbolicDim(Kind::Symbol, id); }

  bool isKnown() const { return kind == Kind::Known; }
  bool isKnown(int64_t wanted) const { return isKnown() && value == wanted; }
  bool isSymbol() const { return kind == Kind::Symbol; }
  bool isUnknown() const { return kind == Kind::Unknown; }
  int64_t getValue() const { return value; }
  int64_t getSymbol() const { return value; }

  /// Whether both are known to be the same number.
  bool operator==(const SymbolicDim &other) const {
    return kind == other.kind && value == other.value && !isUnknown();
  }

private:
  enum class Kind : uint8_t { Unknown, Known, Symbol };
  SymbolicDim(Kind kind, int64_t value) : value(value), kind(kind) {}
  int64_t value = 0;
  Kind kind = Kind::Unknown;
};

using SymbolicDims = llvm::SmallVector<SymbolicDim>;

} // namespace onnxc

#endif
