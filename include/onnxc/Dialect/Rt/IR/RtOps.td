// The rt dialect: what generated code asks of the code linked into each model
// (runtime/model and runtime/kernels).
#ifndef ONNXC_DIALECT_RT_IR_RTOPS_TD
#define ONNXC_DIALECT_RT_IR_RTOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Rt_Dialect : Dialect {
  let name = "rt";
  let cppNamespace = "::onnxc::rt";
  let summary = "Calls of a compiled model into its linked-in runtime";
}

class Rt_Op<string mnemonic, list<Trait> traits = []> : Op<Rt_Dialect, mnemonic, traits>;

def Rt_KernelOp : Rt_Op<"kernel", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "A call of a kernel of the kernel library";
  let description = [{
    Calls `onnxc_kernel_<name>` (runtime/kernels/kernel.h). Tensors are contiguous. The first results are
    tied to `inits` one to one (destination style); each further result is allocated by
    the kernel. On memrefs there are no tied results. An absent optional input is given
    by elem_types 0 and any tensor.

    `elem_types` holds the ONNX element type (onnx::TensorProto::DataType, 100 for a handle) of each
    input, then of each init, then of each result that the kernel allocates.

    ```mlir
    %r:2 = rt.kernel "TopK"(%x, %k : tensor<?xf32>, tensor<1xi64>) {elem_types = array<i64: 1, 7, 1, 7>, attrs = {axis = 0 : i64}}
      : tensor<?xf32>, tensor<?xi64>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyShaped>:$inputs, Variadic<AnyShaped>:$inits,
                       DenseI64ArrayAttr:$elem_types, DefaultValuedAttr<DictionaryAttr, "{}">:$attrs,
                       UnitAttr:$has_effects);
  let results = (outs Variadic<AnyShaped>:$results);
  let assemblyFormat = [{
    $name `(` ($inputs^ `:` type($inputs))? `)` (`outs` `(` $inits^ `:` type($inits) `)`)?
    attr-dict (`:` type($results)^)?
  }];
  let hasVerifier = 1;
}

def Rt_AssertOp : Rt_Op<"assert", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends the run with a message if the condition is false";
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

def Rt_StringConstantOp : Rt_Op<"string_constant", [Pure]> {
  let summary = "A constant tensor of strings";
  let description = [{
    Gives handles of immutable strings that live in the model's read-only data, in
    row-major order.

    ```mlir
    %0 = rt.string_constant ["a", "b"] : tensor<2xi64>
    ```
  }];
  let arguments = (ins StrArrayAttr:$values);
  let results = (outs StaticShapeTensorOf<[I64]>:$result);
  let assemblyFormat = "$values attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif
