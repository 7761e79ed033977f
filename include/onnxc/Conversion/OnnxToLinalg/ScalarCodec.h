// How one ONNX element is stored (docs/architecture.md) and how the bodies of
// linalg ops compute with it: decode, compute, encode with ONNX's rounding.
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_SCALARCODEC_H
#define ONNXC_CONVERSION_ONNXTOLINALG_SCALARCODEC_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace onnxc {

// onnx::TensorProto::DataType of an ONNX element type or of a tensor of it;
// 100 for a sequence, optional or map; 0 for none.
int64_t onnxElemType(mlir::Type type);

// Unsigned integers and bool.
bool isUnsignedElem(mlir::Type onnxElem);
bool isStringElem(mlir::Type onnxElem);
// bool as ONNX element type.
bool isBoolElem(mlir::Type onnxElem);
// f16, bf16, f32, f64, all float8 and float4.
bool isFloatElem(mlir::Type onnxElem);
// Signed or unsigned, not bool.
bool isIntElem(mlir::Type onnxElem);
// 1 for bool, 4 for int4, ... of a float or integer element.
unsigned onnxBitWidth(mlir::Type onnxElem);
// The range of an integer ONNX type (not bool), as signed 64 bits (uint64: as is).
std::pair<int64_t, uint64_t> intRange(mlir::Type onnxElem);

// How a value that a small float cannot hold is encoded.
struct EncodeOptions {
  bool saturate = true;
  // float8e8m0 only: "up", "down" or "nearest".
  llvm::StringRef roundMode = "up";
};

// | ONNX                  | storage   | compute   |
// | f16 bf16              | same      | f32       |
// | f32 f64 complex       | same      | same      |
// | float8*, float4e2m1   | i8        | f32       |
// | bool                  | i8        | i1        |
// | (u)int2, (u)int4      | i8        | i8        |
// | (u)int8 .. (u)int64   | signless  | signless  |
// | string, handle        | i64       | i64       |
class ScalarCodec {
public:
  explicit ScalarCodec(mlir::Type onnxElem);

  mlir::Type onnxType() const { return onnx; }
  mlir::Type storageType() const { return storage; }
  mlir::Type computeType() const { return compute; }
  bool isUnsigned() const { return isUnsignedElem(onnx); }

  mlir::Value decode(mlir::OpBuilder &b, mlir::Location loc, mlir::Value stored) const;
  mlir::Value encode(mlir::OpBuilder &b, mlir::Location loc, mlir::Value computed,
                     EncodeOptions options = {}) const;

  // A storage attribute for a value given as double or int64 (for pads, fills).
  mlir::TypedAttr storageAttr(double value) const;
  mlir::TypedAttr storageAttrInt(int64_t value) const;
  mlir::Value zero(mlir::OpBuilder &b, mlir::Location loc) const; // of storage type

private:
  mlir::Type onnx, storage, compute;
};

// A value of `to`'s compute type from one of `from`'s: ONNX Cast without the
// final encode (float to int truncates, to bool compares with 0).
mlir::Value convertScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                          const ScalarCodec &from, const ScalarCodec &to);

} // namespace onnxc
#endif
