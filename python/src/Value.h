// The class _onnxc.Value.
#ifndef ONNXC_PYTHON_VALUE_H
#define ONNXC_PYTHON_VALUE_H

#include <nanobind/nanobind.h>

void bindValue(nanobind::module_ &m);

#endif
