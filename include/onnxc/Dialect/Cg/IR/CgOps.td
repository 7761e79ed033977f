// The cg dialect: operations of the code generator that linalg cannot say.
#ifndef ONNXC_DIALECT_CG_IR_CGOPS_TD
#define ONNXC_DIALECT_CG_IR_CGOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Cg_Dialect : Dialect {
  let name = "cg";
  let cppNamespace = "::onnxc::cg";
  let summary = "Operations of the code generator that linalg cannot say, and strategies of those that it can";
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = "void registerAttributes();";
}

class Cg_Op<string mnemonic, list<Trait> traits = []> : Op<Cg_Dialect, mnemonic, traits>;

def Cg_WinogradConvOp : Cg_Op<"winograd_conv", [
    DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    SingleBlock]> {
  let summary = "A 3x3 convolution by Winograd's method, with the elementwise work that follows";
  let description = [{
    The input is [N, H, W, C], the result (tied to `init`) [N, OH, OW, F]; stride and dilation are one. The window
    of the result at (0, 0) begins at input (-low[0], -low[1]); what lies outside of the input is zero.

    The result is computed in tiles of `tile` x `tile` values (2 or 4), each from a patch of alpha x alpha with
    alpha = tile + 2. `weights` holds the transformed filters, in panels of `panel` of them (the last one is as
    wide as its filters need, rounded up to half a panel): [panels][alpha * alpha][C][panel].

    The region gives each element of the result from the convolution's value and the elements of
    `extras`, whose maps are functions of (n, oh, ow, f).

    The schedule: a task works on `block` tiles and one of `splits` parts of the panels; products are computed for
    `rows` tiles (or somewhat fewer) and two vectors of `lanes` filters at a time.
  }];
  let arguments = (ins AnyShaped:$input, AnyShaped:$weights, Variadic<AnyType>:$extras, AnyShaped:$init,
                       AffineMapArrayAttr:$extra_maps, I64Attr:$tile, DenseI64ArrayAttr:$low,
                       I64Attr:$panel, I64Attr:$lanes, I64Attr:$rows, I64Attr:$block, I64Attr:$splits);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = [{
    `ins` `(` $input `,` $weights `:` type($input) `,` type($weights) `)`
    (`extras` `(` $extras^ `:` type($extras) `)`)? `outs` `(` $init `:` type($init) `)`
    attr-dict-with-keyword $epilogue (`->` type($result)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// Values along one side of a patch.
    int64_t getAlpha() { return getTile() + 2; }
    int64_t getNumChannels() { return ::llvm::cast<::mlir::ShapedType>(getInput().getType()).getShape().back(); }
    int64_t getNumFilters() { return ::llvm::cast<::mlir::ShapedType>(getInit().getType()).getShape().back(); }
  }];
  let hasVerifier = 1;
}

def Cg_YieldOp : Cg_Op<"yield", [Pure, Terminator, HasParent<"WinogradConvOp">]> {
  let summary = "Gives the element of the result";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif
