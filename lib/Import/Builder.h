// Builds operations of the onnx dialect from graphs whose nodes are all at the
// newest opset.
#ifndef ONNXC_LIB_IMPORT_BUILDER_H
#define ONNXC_LIB_IMPORT_BUILDER_H

#include "ExternalData.h"
#include "Schemas.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringMap.h"

namespace onnx {
class OpSchema;
}

namespace onnxc::importer {

class GraphBuilder {
public:
  /// `file` is the model's name in locations, `opsets` are what messages show.
  GraphBuilder(mlir::MLIRContext *context, mlir::StringAttr file, const OpsetMap &opsets,
               ExternalDataReader &external, const Schemas &schemas)
      : context(context), file(file), opsets(opsets), external(external), schemas(schemas) {}

  /// Builds func.func @main_graph at the end of `module`. Takes the data out of
  /// the graph's tensors.
  void buildMain(GraphProto &graph, mlir::ModuleOp module);

  /// Builds a graph's nodes at the end of `block`, with `inputs` for the graph's
  /// inputs. Returns the graph's outputs, null for one without a name.
  llvm::SmallVector<mlir::Value> buildInline(GraphProto &graph, mlir::ValueRange inputs,
                                             mlir::Block *block, mlir::Location loc);

  /// Regions that nodes of the internal domain stand for, by their number.
  llvm::SmallVector<mlir::Region *> placeholderRegions;

private:
  // The values that are visible at one level of subgraphs.
  struct Scope {
    Scope *outer;
    mlir::OpBuilder builder;
    llvm::StringMap<mlir::Value> values;
    llvm::StringMap<TensorProto *> initializers;
    llvm::StringMap<const TypeProto *> types;
    mlir::Value none;
  };

  mlir::MLIRContext *context;
  mlir::StringAttr file;
  const OpsetMap &opsets;
  ExternalDataReader &external;
  const Schemas &schemas;
  /// All operations are at this place, if set.
  std::optional<mlir::Location> fixedLoc;

  void declare(Scope &scope, GraphProto &graph);
  void buildNodes(Scope &scope, GraphProto &graph);
  void buildNode(Scope &scope, NodeProto &node, mlir::Location loc);
  void buildConstant(Scope &scope, NodeProto &node, mlir::Location loc);
  void buildCustom(Scope &scope, NodeProto &node, mlir::Location loc);
  void buildPlaceholder(Scope &scope, NodeProto &node);
  void buildRegion(Scope &outer, GraphProto &graph, mlir::Region &region,
                   llvm::ArrayRef<mlir::Type> inputTypes, mlir::Location loc);

  mlir::Value lookup(Scope &scope, const std::string &name);
  mlir::Value none(Scope &scope);
  mlir::Value makeConstant(mlir::OpBuilder &builder, TensorProto &tensor, mlir::Location loc);
  /// The type that inference or the model gives; null if neither does.
  mlir::Type knownType(Scope &scope, const std::string &name);
  mlir::Type resultType(Scope &scope, NodeProto &node, int i, mlir::ValueRange operands);
  mlir::Attribute convertAttribute(AttributeProto &attr);
  mlir::Location location(llvm::StringRef kind, llvm::StringRef name, unsigned index);
};

/// The schema's attributes in the reverse order of their names (then_branch
/// before else_branch), which is the order of the dialect's regions.
std::vector<std::pair<std::string, ::onnx::AttributeProto::AttributeType>>
sortedAttributes(const ::onnx::OpSchema &schema);

/// The operation's name in the dialect; empty if the domain is not standard.
std::string dialectOpName(const std::string &domain, const std::string &op);

} // namespace onnxc::importer

#endif
