// Runs passes and pipelines of the compiler on textual IR.
#include "onnxc/Compiler/InitAll.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  onnxc::registerAllDialects(registry);
  onnxc::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "onnxc's passes on MLIR\n", registry));
}
