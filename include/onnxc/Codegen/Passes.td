// Passes from linalg on tensors to LLVM functions.
#ifndef ONNXC_CODEGEN_PASSES_TD
#define ONNXC_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// On tensors
//===----------------------------------------------------------------------===//

def PropagateTransposesPass : Pass<"onnxc-propagate-transposes", "::mlir::func::FuncOp"> {
  let summary = "Moves transpositions through the network until they meet their inverse";
  let description = [{
    One walk in program order. An operation that reads transpositions is done on what was transposed: its
    indexing maps, offsets or groups take the source's order, and its result is transposed instead.
    Where operands disagree, the order that fewer elements have to be read against wins. Pairs
    cancel, constants are transposed here and now, and what only moves dimensions of size 1 becomes a
    reshape. So a network whose convolutions ask for channels-last is channels-last from its first
    convolution to its last.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def PackWeightsPass : Pass<"onnxc-pack-weights", "::mlir::func::FuncOp"> {
  let summary = "Lays out constant matrices as the register tiles read them";
  let description = [{
    The constant right side [K, N] (or [N, K]) of a product becomes panels [N/w, K, w]; the product gets a
    loop more and its result is a view. Then the innermost loop reads one stream of memory. Where no width
    divides N, the product becomes several: wide panels, and a last one of what is left. Small matrices stay
    unpacked (transposed to [K, N]).
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def PackOperandsPass : Pass<"onnxc-pack-operands", "::mlir::func::FuncOp"> {
  let summary = "Copies large computed right sides of products into panels";
  let description = [{
    A computed right side, in whatever order its dimensions are, gets the layout that onnxc-pack-weights gives to
    weights, by a copy when the model runs: where there are rows enough to pay for it, and the right side is
    larger than the first-level cache. Where the rows are one tile, onnxc-select-tiles puts the copy of a panel into the
    tile that uses it; the panel stays in the second-level cache then. Attention's products stay as they are.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def TurnOperandsPass : Pass<"onnxc-turn-operands", "::mlir::func::FuncOp"> {
  let summary = "Lays out computed right sides of products: columns inside, rows apart";
  let description = [{
    A product of two computed tensors reads its right side through a copy [K, N] where it has rows enough and
    the tensor is [N, K] (keys of attention, Gemm's transB), or its rows are a multiple of 1 KiB apart and so
    throw each other out of the first-level cache (values of attention). Single rows, and rows of unknown number
    against a cache that Concat put together, read it as it is.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def PackIntegerWeightsPass : Pass<"onnxc-pack-integer-weights", "::mlir::func::FuncOp"> {
  let summary = "Lays out constant 8-bit weights for dot product instructions";
  let description = [{
    For sums of products of unsigned bytes and constant signed ones, or of bfloat16 and constant ones, which lie
    in pairs instead of fours (matrix products, channels-last convolutions). The innermost reduction loop k becomes (k / 4, 4), the loop of the result's last dimension
    n becomes (n / w, w), and the weights [n / w, ..., k / 4, w, 4]: then one vector holds four
    consecutive weights of each of some columns. Sizes that do not divide are filled up with zero weights.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def FuseElementwisePass : Pass<"onnxc-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Fuses elementwise operations, and padding into its parts";
  let description = [{
    Makes one linalg.generic of a chain of elementwise operations: a producer is
    fused when it has one user or is as cheap to compute again as to load (a broadcast,
    a constant). tensor.pad becomes a fill and an insertion. So no
    intermediate tensor remains for biases, activations, casts and residual additions.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def WidenOperandsPass : Pass<"onnxc-widen-operands", "::mlir::func::FuncOp"> {
  let summary = "Converts the operands of f16 and bf16 products to f32 once";
  let description = [{
    A product multiplies in f32. What it reads one by one and multiplies with many columns is converted before, as a
    conversion of one element takes as long as that of a vector. Panels that many rows pass over are converted by the
    tile that uses them; for few rows, or an unknown number, they are converted in registers. Attention's
    probabilities, which live in a tile only, are not rounded to the narrow type at all.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def StaggerRowsPass : Pass<"onnxc-stagger-rows", "::mlir::func::FuncOp"> {
  let summary = "Keeps rows of a product's computed right side from colliding in the cache";
  let description = [{
    Where the rows of a right side [K, N] that elementwise work writes would lie a multiple of 1 KiB (or an unknown
    number of bytes) apart, the buffer gets rows that are 16 elements longer; the product reads a slice of it.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect",
                           "::mlir::bufferization::BufferizationDialect"];
}

def WinogradPass : Pass<"onnxc-winograd", "::mlir::func::FuncOp"> {
  let summary = "Computes 3x3 convolutions by Winograd's method where that is faster";
  let description = [{
    Takes channels-last convolutions in f32 with constant weights, stride and dilation one, and makes
    `cg.winograd_conv` of them; their padding goes into the operation. The weights are transformed here, in
    double, or stay as they are and are transformed when the model runs, where an estimate of the time says that
    this takes no longer than to read the larger ones. The result is compared with a direct convolution in double
    on sample data: above an error of 1e-5 of the largest result the smaller tile is taken, then the direct form.

    With `auto` the estimate also decides which convolutions are computed so, and the bytes that transformed
    weights add to the model are limited; `f2` and `f4` take every convolution that fits, with tiles of 2x2 or 4x4.
  }];
  let options = [
    Option<"mode", "mode", "std::string", [{"auto"}], "off, f2, f4 or auto">,
    Option<"vectorBits", "vector-bits", "unsigned", "512", "Width of the vector registers to use">,
    Option<"numRegisters", "num-registers", "unsigned", "32", "Number of vector registers">,
    Option<"cacheBytes", "cache-bytes", "int64_t", "524288", "Size of a core's second-level cache to use">,
  ];
  let dependentDialects = ["::onnxc::cg::CgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def FuseWinogradEpiloguePass : Pass<"onnxc-fuse-winograd-epilogue", "::mlir::func::FuncOp"> {
  let summary = "Moves elementwise work into the cg.winograd_conv that it reads";
  let description = [{
    Biases, activations and residual additions are then computed while the result is in
    registers.
  }];
  let dependentDialects = ["::onnxc::cg::CgDialect"];
}

def SeparateWindowsPass : Pass<"onnxc-separate-windows", "::mlir::func::FuncOp"> {
  let summary = "Reduces a pool's windows one dimension after the other";
  let description = [{
    The maximum (or sum, ...) of a window is that of its rows'. Where the steps cost less than the window as a whole, from a
    count of loads and stores, a pool becomes a parallel loop over blocks of channels, in which each step is a
    linalg.generic; elementwise work on the result is done in the same tile. The input is read without padding: positions at the
    borders are operations with fewer taps, and the last dimension's padding is around the result of the step before.
    Nothing in the loop is tiled again.
  }];
  let options = [
    Option<"cacheBytes", "cache-bytes", "int64_t", "524288", "Size of a core's second-level cache to use">,
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect", "::onnxc::cg::CgDialect"];
}

def SelectTilesPass : Pass<"onnxc-select-tiles", "::mlir::func::FuncOp"> {
  let summary = "Decides which operations are fused and how large their tiles are";
  let description = [{
    A group is a consumer (the root) with the producers that only it uses; all carry the same
    `group` in their strategy (`#cg.lowering_config`), the root also `tile_sizes` (one number a loop, 0: not tiled). What a
    strategy says already is kept. A tile of a softmax
    or a normalisation is some rows, of a contraction with its epilogue a block of the
    result. A producer that tiles would compute again is left out of the group.
  }];
  let options = [
    Option<"cacheBytes", "cache-bytes", "int64_t", "524288", "Size of a core's second-level cache to use">,
  ];
  let dependentDialects = ["::onnxc::cg::CgDialect"];
}

def TileAndFusePass : Pass<"onnxc-tile-and-fuse", "::mlir::func::FuncOp"> {
  let summary = "Tiles each group into a parallel loop with its producers inside";
  let description = [{
    Carries out what onnxc-select-tiles wrote down: the root's loops become scf.forall, and the
    group's other operations move into it, so that a tile's intermediate results stay in the cache.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect"];
}

def PadInTilePass : Pass<"onnxc-pad-in-tile", "::mlir::func::FuncOp"> {
  let summary = "Pads a tensor tile by tile where each tile has the padded dimensions as a whole";
  let description = [{
    A parallel loop that reads slices of a padded tensor, each iteration another one and all of the dimensions that
    are padded, pads its slices itself: they stay in the cache, and the padded tensor is never in memory.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ReuseOperandsPass : Pass<"onnxc-reuse-operands", "::mlir::func::FuncOp"> {
  let summary = "Lets elementwise operations write over an operand that nothing else reads";
  let description = [{
    The operand becomes the init, so bufferization needs no second buffer and an
    epilogue works in the memory of its contraction.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

//===----------------------------------------------------------------------===//
// On memrefs
//===----------------------------------------------------------------------===//

def EliminateEmptyTensorsPass : Pass<"onnxc-eliminate-empty-tensors", "::mlir::func::FuncOp"> {
  let summary = "Prepares tensors for bufferization: a destination for each operation";
  let description = [{
    Each operation that writes into an empty or filled tensor gets one of its own, so that none has to be
    copied and none is kept alive by another's. Then upstream's elimination makes results in their
    place in loops and tiles. Insertions outside of loops are left to onnxc-merge-buffers, which sees
    more.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SinkBuffersPass : Pass<"onnxc-sink-buffers", "::mlir::func::FuncOp"> {
  let summary = "Moves buffers to where they are first needed, so that they live shorter";
  let description = [{
    An allocation, with the views and fills that prepare it, comes right before the first operation that does
    anything else with it.
  }];
}

def MergeBuffersPass : Pass<"onnxc-merge-buffers", "::mlir::func::FuncOp"> {
  let summary = "Lets what is copied into a part of another buffer be made there";
  let description = [{
    A buffer whose contents are copied into another one (padded, or put together with others) becomes a
    view of that one's part, and the copy is gone, if no operation between the first use of the one and the last
    of the other sees the difference. A fill of the whole buffer before it shrinks to the part's
    surroundings. Large copies that stay become parallel loops.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect"];
}

def LowerCopiesPass : Pass<"onnxc-lower-copies", "::mlir::func::FuncOp"> {
  let summary = "Writes copies that are not one piece of memory, or large, as linalg operations";
  let description = [{
    Then they become loops of vectors, and parallel ones where that pays. The others stay memref.copy (memcpy).
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def ParallelizeLoopsPass : Pass<"onnxc-parallelize-loops", "::mlir::func::FuncOp"> {
  let summary = "Tiles large operations that are in no parallel loop into one";
  let description = [{
    For operations on memrefs. Those with unknown sizes too: the thread pool gets the cost of what there is to do when the
    model runs, and leaves small ones on one thread.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
}

def EmitWinogradPass : Pass<"onnxc-emit-winograd", "::mlir::func::FuncOp"> {
  let summary = "Writes cg.winograd_conv on memrefs as loops of vectors";
  let description = [{
    A parallel loop over blocks of tiles. Each block's patches are transformed into scratch, multiplied with
    the weights in register tiles, transformed back and handed to the operation's region.
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def EmitLoopsPass : Pass<"onnxc-emit-loops", "::mlir::func::FuncOp"> {
  let summary = "Writes linalg operations on memrefs as loops with register tiles";
  let description = [{
    See onnxc/Codegen/CPU/LoopEmitter.h. A reduction's nest takes up the fill before it and the
    elementwise work after it (onnxc/Codegen/CPU/LoopFusion.h), so that results stay in registers until they are done. Neighbouring loops over contiguous
    memory become one. A sum along contiguous memory is several sums side by side.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", "512", "Width of the vector registers to use">,
    Option<"numRegisters", "num-registers", "unsigned", "32", "Number of vector registers">,
    Option<"byteProducts", "byte-products", "ByteProducts", "ByteProducts::Portable",
           "Instructions for products of bytes", [{::llvm::cl::values(
             clEnumValN(ByteProducts::Portable, "portable", "32-bit lanes"),
             clEnumValN(ByteProducts::Pairs, "pairs", "x86's vpmaddwd"),
             clEnumValN(ByteProducts::Quads, "quads", "x86's vpdpbusd"),
             clEnumValN(ByteProducts::SignedDots, "signed-dots", "AArch64's sdot"),
             clEnumValN(ByteProducts::MixedDots, "mixed-dots", "AArch64's usdot"))}]>,
    Option<"fusedMultiplyAdd", "fused-multiply-add", "bool", "true",
           "An instruction for x * y + z">,
    Option<"bfloatDots", "bfloat-dots", "bool", "false",
           "Instructions for sums of two products of bfloat16 (vdpbf16ps)">,
    Option<"byteTiles", "byte-tiles", "bool", "false", "Products of tiles of bytes (AMX's tdpbusd)">,
    Option<"bfloatTiles", "bfloat-tiles", "bool", "false",
           "Products of tiles of bfloat16 (AMX's tdpbf16ps)">,
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect", "::onnxc::cg::CgDialect"];
}

def PlanMemoryPass : Pass<"onnxc-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Gives every buffer of @main_graph its place";
  let description = [{
    Static allocations get an offset in one arena, by liveness; dynamic ones come
    from the run's pool and are given back after their last use. Constants get an offset in the
    weights. The module attributes `onnxc.arena_bytes`, `onnxc.weights_bytes` and
    `onnxc.dynamic_memory` say what was planned.
  }];
  let dependentDialects = ["::onnxc::rt::RtDialect"];
}

def BuildEntryPass : Pass<"onnxc-build-entry", "::mlir::ModuleOp"> {
  let summary = "Turns @main_graph into the function that the model's runtime calls";
  let description = [{
    Arguments become rt.input, results rt.output: a result that is an allocation of
    the function's body is written straight into the output's memory. Strings and
    handles go through rt.set_output. The context is the function's one argument.
  }];
  let dependentDialects = ["::onnxc::rt::RtDialect", "::mlir::LLVM::LLVMDialect"];
}

def MarkRegionsPass : Pass<"onnxc-mark-regions", "::mlir::ModuleOp"> {
  let summary = "Puts a profiling mark before each loop nest, kernel call and copy of the entry";
  let description = [{
    The module attribute `onnxc.regions` lists, for each mark, the ONNX nodes behind the region's operations
    (from their locations) and whether it is parallel. A mark costs a call when nobody profiles.
  }];
  let dependentDialects = ["::onnxc::rt::RtDialect"];
}

def OutlineKernelsPass : Pass<"onnxc-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Moves loop nests into functions of their own";
  let description = [{
    Each outermost loop nest becomes a function of pointers and sizes; equal ones are
    kept once. Parallel loops are called through rt.parallel_for. LLVM then works on
    small functions, on several cores.
  }];
  let dependentDialects = ["::onnxc::rt::RtDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::func::FuncDialect", "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::memref::MemRefDialect"];
}

def PartitionPass : Pass<"onnxc-partition", "::mlir::ModuleOp"> {
  let summary = "Spreads the module's functions over nested modules of about equal size";
  let description = [{
    The nested modules are lowered, optimised and compiled at the same time; each has
    declarations of the functions that it calls.
  }];
  let options = [
    Option<"parts", "parts", "unsigned", "2", "Number of nested modules with kernels">,
  ];
}

def ExpandReshapesPass : Pass<"onnxc-expand-reshapes"> {
  let summary = "Writes memref.expand_shape with several unknown sizes in a group as memref.reinterpret_cast";
  let description = [{
    expand-strided-metadata of LLVM 22 handles one unknown size a group only (it crashes on two).
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect"];
}

def DivideByConstantsPass : Pass<"onnxc-divide-by-constants", "::mlir::ModuleOp"> {
  let summary = "Turns divisions of vectors of f32 by constants into multiplications";
  let description = [{
    The quotients stay the same to the last bit where the CPU has fused multiply-add; elsewhere they are off by
    one unit in the last place at most.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ApproximateMathPass : Pass<"onnxc-approximate-math", "::mlir::ModuleOp"> {
  let summary = "Expands elementary functions on f32 into polynomials";
  let description = [{
    On vectors and scalars, with the errors of docs/numerics.md; what has no expansion here, f64 in particular,
    becomes calls of libm. Also expands conversions to and from bfloat16, for which x86 has no instruction before
    AVX512-BF16.
  }];
  let options = [
    Option<"fused", "fused", "bool", "true", "The machine multiplies and adds in one instruction">,
  ];
  let dependentDialects = ["::mlir::math::MathDialect", "::mlir::vector::VectorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def RoundToIntegerPass : Pass<"onnxc-round-to-integer", "::mlir::ModuleOp"> {
  let summary = "Rounding half to even and conversion to 32-bit integers as one instruction";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def FuseShortProductsPass : Pass<"onnxc-fuse-short-products", "::mlir::ModuleOp"> {
  let summary = "Sums of products of bytes in 32-bit lanes as one instruction (vpdpwssd)";
  let description = [{
    The instruction adds two products of 16 bits to each lane. Of unsigned bytes that are widened to 32 bits the upper half is zero,
    so its second product is. Where few sums are taken side by side multiplications and additions are left as they are.
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "Width of the vector registers to use">];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

def ConvertToLLVMPass : Pass<"onnxc-convert-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Lowers everything that is left, and the rt dialect, to the LLVM dialect";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif
