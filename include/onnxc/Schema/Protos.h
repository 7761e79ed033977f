// Between MLIR's types and attributes and ONNX's messages. For libraries that
// are compiled with exceptions and use the onnx library.
#ifndef ONNXC_SCHEMA_PROTOS_H
#define ONNXC_SCHEMA_PROTOS_H

#include "onnxc/Schema/SymbolicDim.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "onnx/onnx_pb.h"

#include <optional>
#include <string>

namespace onnxc {

/// The type of a message; null if it names no element type or one that the
/// dialect lacks.
mlir::Type typeFromProto(const ::onnx::TypeProto &proto, mlir::MLIRContext *context);

/// Fails for types that are not of the onnx dialect.
bool typeToProto(mlir::Type type, ::onnx::TypeProto &proto);

/// Sizes as inference knows them. A symbol becomes the dim_param "s<id>".
void dimToProto(SymbolicDim dim, ::onnx::TensorShapeProto::Dimension &proto);
SymbolicDim dimFromProto(const ::onnx::TensorShapeProto::Dimension &proto);

/// A tensor with its data if it has at most `maxElements` elements, else (and where the
/// attribute's data is missing) only with type and shape; returns whether it has data.
bool tensorToProto(mlir::ElementsAttr attr, int64_t maxElements, ::onnx::TensorProto &proto);

/// An attribute of an onnx operation as a message; nothing if it has no ONNX form.
std::optional<::onnx::AttributeProto> attributeToProto(mlir::StringRef name, mlir::Attribute attr);

} // namespace onnxc

#endif
