// The onnx dialect: its types and those operations that no schema describes.
// The operators come from the schemas (tools/onnx-dialect-gen).
#ifndef ONNXC_DIALECT_ONNX_IR_ONNXDIALECT_TD
#define ONNXC_DIALECT_ONNX_IR_ONNXDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "onnxc/Dialect/Onnx/IR/OnnxInterfaces.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::onnxc::onnx";
  let summary = "ONNX's operators and types";
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

class Onnx_Type<string name, string typeMnemonic> : TypeDef<Onnx_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Onnx_StringType : Onnx_Type<"String", "string"> {
  let summary = "The element type of a tensor of strings";
}

def Onnx_SeqType : Onnx_Type<"Seq", "seq"> {
  let summary = "A sequence of values of one type";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Onnx_OptType : Onnx_Type<"Opt", "opt"> {
  let summary = "A value that may be missing";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Onnx_MapType : Onnx_Type<"Map", "map"> {
  let summary = "A map from integers or strings to values";
  let description = "The key type is an element type, the value type a tensor.";
  let parameters = (ins "::mlir::Type":$keyType, "::mlir::Type":$valueType);
  let assemblyFormat = "`<` $keyType `,` $valueType `>`";
}

// An operator of ONNX. All share one textual form:
//   %r = onnx.Conv(%x, %w, %b) {group = 1 : i64} : (tensor<...>, tensor<...>, none) -> tensor<...>
// with the regions, if any, in parentheses at the end.
class Onnx_Op<string mnemonic, list<Trait> traits = []>
    : Op<Onnx_Dialect, mnemonic, traits # [OnnxOpInterface]> {
  let extraClassDeclaration = [{
    static const ::onnxc::onnx::OpInfo &getOnnxInfo();
    static ::mlir::ParseResult parse(::mlir::OpAsmParser &parser, ::mlir::OperationState &result) {
      return ::onnxc::onnx::detail::parseOnnxOp(parser, result);
    }
    void print(::mlir::OpAsmPrinter &printer) {
      ::onnxc::onnx::detail::printOnnxOp(printer, getOperation());
    }
  }];
}

def Onnx_ConstantOp : Op<Onnx_Dialect, "Constant", [ConstantLike, Pure, AllTypesMatch<["value", "output"]>, OnnxOpInterface]> {
  let summary = "A constant";
  let description = [{
    All forms of ONNX's Constant: value_int and the like become `value` at import, sparse values dense ones.

    ```mlir
    %0 = onnx.Constant dense<[1, 2]> : tensor<2xi64>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyTensor:$output);
  let extraClassDeclaration = "static const ::onnxc::onnx::OpInfo &getOnnxInfo();";
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Onnx_NoneOp : Op<Onnx_Dialect, "None", [ConstantLike, Pure]> {
  let summary = "A missing optional input";
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
  let hasFolder = 1;
}

def Onnx_YieldOp : Op<Onnx_Dialect, "Yield", [Pure, ReturnLike, Terminator]> {
  let summary = "The outputs of a subgraph";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Onnx_CustomOp : Op<Onnx_Dialect, "Custom"> {
  let summary = "An operator of a domain that ONNX does not define";
  let arguments = (ins StrAttr:$domain_name, StrAttr:$op_type, DictionaryAttr:$attrs,
                       Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $domain_name `:` $op_type `(` $inputs `)` $attrs attr-dict `:` functional-type($inputs, $outputs)
  }];
}

#endif
