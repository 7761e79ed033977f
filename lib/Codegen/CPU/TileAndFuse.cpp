// onnxc-tile-and-fuse: see Passes.td.
#include "onnxc/Codegen/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_TILEANDFUSEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct TileAndFuse : impl::TileAndFusePassBase<TileAndFuse> {
  using TileAndFusePassBase::TileAndFusePassBase;

  void runOnOperation() override {}
};

} // namespace
} // namespace onnxc
