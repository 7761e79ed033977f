// Where the importer looks up operators: those that libraries declare, then the onnx library's.
#ifndef ONNXC_LIB_IMPORT_SCHEMAS_H
#define ONNXC_LIB_IMPORT_SCHEMAS_H

#include "Proto.h"

#include "onnxc/Schema/CustomOperators.h"

#include "onnx/defs/schema.h"

namespace onnxc::importer {

class Schemas : public ::onnx::ISchemaRegistry {
public:
  /// Without custom operators.
  Schemas() = default;
  /// `opsets` are what the model imports: they tell the versions of custom operators' domains.
  Schemas(const CustomOperators *customs, OpsetMap opsets) : customs(customs), opsets(std::move(opsets)) {}

  const ::onnx::OpSchema *GetSchema(const std::string &key, int maxInclusiveVersion,
                                    const std::string &domain) const override;

  /// The declaration of a custom operator's node; null if it is none.
  const CustomOperators::Operator *custom(const NodeProto &node) const;
  /// Of a node in its newest form; null for operators that nobody declares.
  const ::onnx::OpSchema *newest(const NodeProto &node) const;
  /// The version in which a domain's operators are looked up.
  int64_t versionOf(const std::string &domain) const;
  const CustomOperators *customOperators() const { return customs; }
  const OpsetMap &importedOpsets() const { return opsets; }

private:
  const CustomOperators *customs = nullptr;
  OpsetMap opsets;
};

} // namespace onnxc::importer

#endif
