// The rt dialect: what generated code asks of the code linked into each model
// (runtime/model and runtime/kernels).
#ifndef ONNXC_DIALECT_RT_IR_RTOPS_TD
#define ONNXC_DIALECT_RT_IR_RTOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"

def Rt_Dialect : Dialect {
  let name = "rt";
  let cppNamespace = "::onnxc::rt";
  let summary = "Calls of a compiled model into its linked-in runtime";
  let description = [{
    The running call's context is the first argument of every function that holds
    rt ops; it is implicit until the lowering to LLVM.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
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
  let results = (outs AnyShaped:$result);
  let assemblyFormat = "$values attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// After bufferization: where the model's buffers live
//===----------------------------------------------------------------------===//

def Rt_InputOp : Rt_Op<"input", [Pure]> {
  let summary = "The caller's memory of an input of the model";
  let arguments = (ins I64Attr:$index);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Rt_OutputOp : Rt_Op<"output", [MemoryEffects<[MemWrite]>]> {
  let summary = "The memory of an output of the model, given its dynamic sizes";
  let arguments = (ins I64Attr:$index, Variadic<Index>:$sizes);
  let results = (outs Res<AnyMemRef, "", [MemAlloc]>:$result);
  let assemblyFormat = "$index `(` $sizes `)` attr-dict `:` type($result)";
}

def Rt_SetOutputOp : Rt_Op<"set_output", [MemoryEffects<[MemWrite]>]> {
  let summary = "Copies a buffer to an output of the model (strings and handles are converted)";
  let arguments = (ins I64Attr:$index, AnyMemRef:$value);
  let assemblyFormat = "$index `,` $value attr-dict `:` type($value)";
}

def Rt_ArenaOp : Rt_Op<"arena", [Pure]> {
  let summary = "A statically planned buffer at an offset (bytes) of the instance's arena";
  let arguments = (ins I64Attr:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$offset attr-dict `:` type($result)";
}

def Rt_WeightOp : Rt_Op<"weight", [Pure]> {
  let summary = "A constant at an offset (bytes) of the model's weights";
  let arguments = (ins I64Attr:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$offset attr-dict `:` type($result)";
}

def Rt_AllocOp : Rt_Op<"alloc"> {
  let summary = "A buffer from the run's pool";
  let arguments = (ins Variadic<Index>:$sizes);
  let results = (outs Res<AnyMemRef, "", [MemAlloc]>:$result);
  let assemblyFormat = "`(` $sizes `)` attr-dict `:` type($result)";
}

def Rt_DeallocOp : Rt_Op<"dealloc"> {
  let summary = "Gives a buffer back to the run's pool";
  let arguments = (ins Arg<AnyMemRef, "", [MemFree]>:$buffer);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer)";
}

def Rt_RegionOp : Rt_Op<"region", [MemoryEffects<[MemWrite]>]> {
  let summary = "Tells a profiler that a region of the model begins";
  let description = [{`index` is the region's place in the module attribute `onnxc.regions`.}];
  let arguments = (ins I32Attr:$index);
  let assemblyFormat = "$index attr-dict";
}

//===----------------------------------------------------------------------===//
// Outlined loop nests
//===----------------------------------------------------------------------===//

def Rt_AsPtrOp : Rt_Op<"as_ptr", [Pure]> {
  let summary = "The base address of a memref (without its offset)";
  let arguments = (ins AnyMemRef:$source);
  let results = (outs LLVM_AnyPointer:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `,` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Value":$source), [{
    build($_builder, $_state, ::mlir::LLVM::LLVMPointerType::get($_builder.getContext()), source);
  }]>];
}

def Rt_AsMemRefOp : Rt_Op<"as_memref", [Pure, AttrSizedOperandSegments]> {
  let summary = "A memref of the given type at a base address";
  let description = [{The dynamic ones of its sizes, strides and offset (elements) are given.}];
  let arguments = (ins LLVM_AnyPointer:$source, Variadic<Index>:$sizes, Variadic<Index>:$strides,
                       Variadic<Index>:$offset);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = [{
    $source `sizes` `(` $sizes `)` `strides` `(` $strides `)` `offset` `(` $offset `)` attr-dict
    `:` type($source) `,` type($result)
  }];
}

def Rt_ParallelForOp : Rt_Op<"parallel_for", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Calls an outlined function over ranges that cover [0, n), on the pool's threads";
  let description = [{
    The callee takes the context, the range's begin and end (index) and `args`. `cost` is the
    estimated time of one iteration in nanoseconds.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Index:$n, F64:$cost, Variadic<AnyType>:$args);
  let assemblyFormat = "$callee `[` $n `,` $cost `]` `(` ($args^ `:` type($args))? `)` attr-dict";
}

#endif
