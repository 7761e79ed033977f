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
    alpha = tile + 2. `weights` holds filters in panels of `panel` of them (the last one is as wide as its filters
    need, rounded up to half a panel). Where `depth` is 0 they are transformed: [panels][alpha * alpha][C][panel].
    Otherwise they are the filters themselves, [panels][C][3 * 3][panel], and `depth` channels of a panel are
    transformed at a time, just before the products that use them.

    The region gives each element of the result from the convolution's value and the elements of
    `extras`, whose maps are functions of (n, oh, ow, f).

    The schedule: a task works on `block` tiles and one of `splits` parts of the panels; products are computed for
    `rows` tiles (or somewhat fewer) and two vectors of `lanes` filters at a time.
  }];
  let arguments = (ins AnyShaped:$input, AnyShaped:$weights, Variadic<AnyType>:$extras, AnyShaped:$init,
                       AffineMapArrayAttr:$extra_maps, I64Attr:$tile, DenseI64ArrayAttr:$low,
                       I64Attr:$panel, I64Attr:$lanes, I64Attr:$rows, I64Attr:$block, I64Attr:$splits,
                       DefaultValuedAttr<I64Attr, "0">:$depth);
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

// Tile registers of x86 (AMX): 16 rows of 64 bytes each. The registers are numbered by whoever writes the loops, so
// that accumulators stay where they are while a sum is taken, and their shapes are set outside of the loops.

def Cg_TileRegisters : Resource<"::onnxc::cg::TileRegisters">;
def Cg_TileNumber : ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<7>]>;

class Cg_TileMemoryOp<string mnemonic, list<MemoryEffect> onMemory, list<MemoryEffect> onTiles>
    : Cg_Op<mnemonic, [MemoryEffects<onTiles>]> {
  let arguments = (ins Cg_TileNumber:$tile, Arg<AnyMemRef, "", onMemory>:$memory, Variadic<Index>:$indices,
                       I64Attr:$stride);
  let assemblyFormat = "$tile `,` $memory `[` $indices `]` `stride` $stride attr-dict `:` type($memory)";
  let hasVerifier = 1;
}

def Cg_TileConfigureOp : Cg_Op<"tile_configure", [MemoryEffects<[MemWrite<Cg_TileRegisters>]>]> {
  let summary = "Sets the shapes of all tiles, which become zero (ldtilecfg)";
  let description = "`shapes` is as the instruction takes it: 64 bytes, of palette 1.";
  let arguments = (ins Arg<MemRefRankOf<[I8], [1]>, "", [MemRead]>:$shapes);
  let assemblyFormat = "$shapes attr-dict `:` type($shapes)";
  let hasVerifier = 1;
}

def Cg_TileReleaseOp : Cg_Op<"tile_release", [MemoryEffects<[MemWrite<Cg_TileRegisters>]>]> {
  let summary = "Leaves the tiles without shapes, so that the system has nothing of them to save";
  let assemblyFormat = "attr-dict";
}

def Cg_TileZeroOp : Cg_Op<"tile_zero", [MemoryEffects<[MemWrite<Cg_TileRegisters>]>]> {
  let summary = "Makes a tile zero";
  let arguments = (ins Cg_TileNumber:$tile);
  let assemblyFormat = "$tile attr-dict";
}

def Cg_TileLoadOp : Cg_TileMemoryOp<"tile_load", [MemRead], [MemWrite<Cg_TileRegisters>]> {
  let summary = "Loads a tile whose rows are `stride` bytes apart";
}

def Cg_TileStoreOp : Cg_TileMemoryOp<"tile_store", [MemWrite], [MemRead<Cg_TileRegisters>]> {
  let summary = "Stores a tile as rows that are `stride` bytes apart";
}

def Cg_TileMultiplyOp
    : Cg_Op<"tile_multiply", [MemoryEffects<[MemRead<Cg_TileRegisters>, MemWrite<Cg_TileRegisters>]>]> {
  let summary = "Adds the product of two tiles to a tile";
  let description = [{
    A word of `left` is four unsigned bytes of a row's sum, one of `right` four signed bytes of a column's sum;
    with `bfloat` both are two bfloat16. `sum` holds i32 or f32.
  }];
  let arguments = (ins Cg_TileNumber:$sum, Cg_TileNumber:$left, Cg_TileNumber:$right, UnitAttr:$bfloat);
  let assemblyFormat = "$sum `,` $left `,` $right (`bfloat` $bfloat^)? attr-dict";
}

#endif
