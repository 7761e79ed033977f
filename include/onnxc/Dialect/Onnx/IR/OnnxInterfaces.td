// The interface that every ONNX operator has.
#ifndef ONNXC_DIALECT_ONNX_IR_ONNXINTERFACES_TD
#define ONNXC_DIALECT_ONNX_IR_ONNXINTERFACES_TD

include "mlir/IR/Interfaces.td"

def OnnxOpInterface : OpInterface<"OnnxOpInterface"> {
  let description = [{
    An operator that ONNX defines. Verifies operands and results against the schema: their number,
    their element types, and that values of one type variable agree.
  }];
  let cppNamespace = "::onnxc::onnx";
  let methods = [
    StaticInterfaceMethod<"What the operator's schema says", "const ::onnxc::onnx::OpInfo &", "getOnnxInfo">
  ];
  let extraSharedClassDeclaration = [{
    ::llvm::StringRef getOnnxName() { return $_op.getOnnxInfo().name; }
    /// "" for ai.onnx.
    ::llvm::StringRef getOnnxDomain() { return $_op.getOnnxInfo().domain; }
    int getSinceVersion() { return $_op.getOnnxInfo().sinceVersion; }
  }];
  let verify = "return ::onnxc::onnx::detail::verifyOnnxOp($_op, ConcreteOp::getOnnxInfo());";
}

#endif
