// What the schema says of an operator, as far as verifiers and passes need it
// without the onnx library. Generated operations hold it as static data.
#ifndef ONNXC_DIALECT_ONNX_IR_ONNXOPINFO_H
#define ONNXC_DIALECT_ONNX_IR_ONNXOPINFO_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace onnxc::onnx {

/// The types that a parameter may have: for each kind of type a set of element
/// types, bit n for the one numbered n in onnx::TensorProto::DataType.
struct TypeSet {
  uint32_t tensor, seq, opt, optSeq;
  /// Maps by their key, int64 or string; the bits are the values' types.
  uint32_t mapInt, mapString, seqMapInt, seqMapString;
};

struct ParamInfo {
  enum Option { Single, Optional, Variadic };
  llvm::StringLiteral name;
  Option option;
  /// The type variable ("T"), or "" for a fixed type.
  llvm::StringLiteral typeVar;
  /// All values of a variadic parameter have the same type.
  bool homogeneous;
  unsigned minArity;
  TypeSet types;
};

struct OpInfo {
  llvm::StringLiteral name;
  /// "" for ai.onnx.
  llvm::StringLiteral domain;
  int sinceVersion;
  /// The schema gives a function body.
  bool hasFunction;
  llvm::ArrayRef<ParamInfo> inputs;
  llvm::ArrayRef<ParamInfo> outputs;

  /// The parameter of the operand or result at a position.
  const ParamInfo *input(unsigned i) const { return at(inputs, i); }
  const ParamInfo *output(unsigned i) const { return at(outputs, i); }

private:
  static const ParamInfo *at(llvm::ArrayRef<ParamInfo> params, unsigned i) {
    if (i < params.size())
      return &params[i];
    bool repeated = !params.empty() && params.back().option == ParamInfo::Variadic;
    return repeated ? &params.back() : nullptr;
  }
};

} // namespace onnxc::onnx

#endif
