// Structural checks of a model before anything is allocated or built from it,
// and the small repairs that valid old models need.
#ifndef ONNXC_LIB_IMPORT_CHECK_H
#define ONNXC_LIB_IMPORT_CHECK_H

#include "ExternalData.h"
#include "Schemas.h"

#include "onnxc/Import/Import.h"

namespace onnxc::importer {

/// Brings the model to the form that the rest of the importer expects: one name
/// per domain, typed attributes, negative dimensions unknown, nodes in
/// topological order, sparse tensors dense, small external tensors inline; and
/// checks it: opsets, names, operators, schemas, tensors, limits. Returns the
/// model's opsets. Throws ImportError.
OpsetMap checkAndNormalise(ModelProto &model, const ImportOptions &options, ExternalDataReader &external,
                           const CustomOperators *customs);

/// Replaces dimensions as the options ask.
void pinDimensions(ModelProto &model, const ImportOptions &options);

} // namespace onnxc::importer

#endif
