// Fetches a product's panels from memory ahead of their use.
#ifndef ONNXC_LIB_CODEGEN_CPU_PANELPREFETCH_H
#define ONNXC_LIB_CODEGEN_CPU_PANELPREFETCH_H

#include "RegisterTile.h"

namespace onnxc {

/// Written at each step of a register tile along the depth. `depthFrom`: where the block of the depth begins that
/// the rows pass over; null: the whole depth is one block.
void emitPanelPrefetch(mlir::OpBuilder &b, mlir::linalg::LinalgOp op, const PanelProduct &product,
                       RegisterTile &tile, mlir::Value depthFrom);

} // namespace onnxc

#endif
