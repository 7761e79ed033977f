// The cg dialect's attributes: the strategy of an operation.
#ifndef ONNXC_DIALECT_CG_IR_CGATTRS_TD
#define ONNXC_DIALECT_CG_IR_CGATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "onnxc/Dialect/Cg/IR/CgOps.td"

def Cg_LoweringConfigAttr : AttrDef<Cg_Dialect, "LoweringConfig"> {
  let mnemonic = "lowering_config";
  let summary = "How an operation becomes loops";
  let description = [{
    The discardable attribute `cg.lowering_config` of a linalg operation. Passes write what they decided into it, and follow
    what is there already: written by hand, or by the tuner. What is absent is chosen. All lists have one number for
    each loop of the operation, in its order.

    | key | meaning | followed by |
    |---|---|---|
    | `winograd` | "off", "f2" or "f4": a convolution's method | onnxc-winograd |
    | `panel` | columns of a panel of constant weights; 0: no panels. The loop of the columns becomes one over panels, and a last loop is that of a panel's columns; what else is given moves with them | onnxc-pack-weights |
    | `group` | number of the group that becomes one parallel loop | onnxc-tile-and-fuse |
    | `tile_sizes` | of a group's root, the last of its operations: iterations of each parallel loop in a tile, 0: all. Without `group`, the group is chosen | onnxc-tile-and-fuse |
    | `vector` | the loop along the lanes of vectors | onnxc-emit-loops |
    | `lanes` | elements of a vector, a power of two | onnxc-emit-loops |
    | `unroll` | the register tile: iterations of each parallel loop, in vectors for that along the lanes | onnxc-emit-loops |
    | `order` | the loops outside of the register tile, outermost first | onnxc-emit-loops |
    | `depth_block` | of a product with panels: steps along the depth for which all rows pass over a panel; 0: all | onnxc-emit-loops |
    | `streams` | of a product with panels: panels side by side where one tile has all rows | onnxc-emit-loops |
    | `prefetch` | of a product with panels: whether the next block of weights is fetched, or what follows where one tile has all rows | onnxc-emit-loops |
  }];
  let parameters = (ins
    OptionalParameter<"std::optional<int64_t>">:$group,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$tile_sizes,
    OptionalParameter<"::mlir::StringAttr">:$winograd,
    OptionalParameter<"std::optional<int64_t>">:$panel,
    OptionalParameter<"std::optional<int64_t>">:$vector,
    OptionalParameter<"std::optional<int64_t>">:$lanes,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$unroll,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$order,
    OptionalParameter<"std::optional<int64_t>">:$depth_block,
    OptionalParameter<"std::optional<int64_t>">:$streams,
    OptionalParameter<"std::optional<int64_t>">:$prefetch);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif
