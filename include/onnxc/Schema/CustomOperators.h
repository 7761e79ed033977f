// Operators that libraries of the user's declare (onnxc/runtime/custom_op.h): found by domain, name
// and version, with schemas that infer their results by the libraries' callbacks.
#ifndef ONNXC_SCHEMA_CUSTOMOPERATORS_H
#define ONNXC_SCHEMA_CUSTOMOPERATORS_H

#include "onnxc/runtime/custom_op.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mlir {
class MLIRContext;
} // namespace mlir
namespace onnx {
class OpSchema;
} // namespace onnx

namespace onnxc {

class CustomOperators {
public:
  struct Operator {
    const onnxc_op *op;
    unsigned library; ///< its place in the order of addLibrary
    std::shared_ptr<const ::onnx::OpSchema> schema;
  };

  /// Adds what a library declares. `path` is for messages; the table must outlive this object.
  /// Returns what is wrong with it, empty on success.
  std::string addLibrary(const std::string &path, const onnxc_op_library &table);

  /// The declaration with the highest since_version that is not above `version`; null if there is none.
  const Operator *find(const std::string &domain, const std::string &name, int64_t version) const;
  /// The least version in which the operator is declared; 0 if it is not.
  int64_t firstVersion(const std::string &domain, const std::string &name) const;
  /// The libraries' paths, separated by commas.
  std::string paths() const;
  bool empty() const { return libraries.empty(); }

private:
  std::vector<std::string> libraries;
  // By domain and name, then by version.
  std::map<std::pair<std::string, std::string>, std::map<int64_t, Operator>> operators;
};

/// The operators of the compilation that the context is for; null if no libraries were given.
const CustomOperators *customOperators(mlir::MLIRContext *context);
void setCustomOperators(mlir::MLIRContext &context, std::shared_ptr<const CustomOperators> operators);

/// On an onnx.Custom that a library declares: the declaration's since_version (i64).
inline constexpr const char *kCustomVersionAttr = "onnxc.since_version";

} // namespace onnxc

#endif
