/* Operators of one's own: what a library declares and implements (docs/custom-operators.md).
 *
 * A library, shared or a static archive, defines one function, onnxc_custom_ops, which returns
 * a table of operators. onnxc calls it when it compiles a model (to know element types and
 * shapes) and the model calls it when it is loaded (to compute). The library needs no symbol of
 * onnxc's: everything comes through arguments. custom_op.hpp beside this file is C++ over it.
 *
 * Ownership: what a table points to lives as long as the library; what a callback is given
 * lives until it returns, unless said otherwise.
 * Thread safety: every callback may be called on several threads at once, for different
 * sessions, runs and nodes. A state (create) belongs to one instance of the model, which has
 * one run at a time.
 * Errors: callbacks return 0, or another number after describing the failure
 * (`return onnxc_op_fail(error, "...")`). C++ exceptions and longjmp must not leave them.
 */
#ifndef ONNXC_RUNTIME_CUSTOM_OP_H
#define ONNXC_RUNTIME_CUSTOM_OP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "onnxc/runtime/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by a change that an old library would not survive. Members are otherwise only
 * appended to structures, which struct_size tells. */
#define ONNXC_CUSTOM_OP_ABI 1u

/* What went wrong, terminated; longer messages are cut. */
typedef struct onnxc_op_error {
  char text[512];
} onnxc_op_error;

/* A tensor: contiguous, row-major, elements as in abi.h (types below a byte take one byte an element,
 * bool is 0 or 1, strings are an array of onnxc_string). elem_type 0: an optional input that is
 * absent, or an output that the model does not use. */
typedef struct onnxc_op_tensor {
  void *data;
  const int64_t *dims; /* rank sizes */
  int32_t rank;
  int32_t elem_type; /* onnxc_elem_type */
} onnxc_op_tensor;

typedef enum onnxc_op_attr_kind {
  ONNXC_OP_INT = 1, ONNXC_OP_FLOAT = 2, ONNXC_OP_STRING = 3, ONNXC_OP_INTS = 4, ONNXC_OP_FLOATS = 5,
  ONNXC_OP_STRINGS = 6, ONNXC_OP_TENSOR = 7
} onnxc_op_attr_kind;

/* data: count elements of int64_t, float, onnxc_string, or one onnxc_op_tensor. */
typedef struct onnxc_op_attr {
  const char *name;
  int32_t kind; /* onnxc_op_attr_kind */
  int64_t count;
  const void *data;
} onnxc_op_attr;

/* A node of the model. */
typedef struct onnxc_op_node {
  uint32_t struct_size;
  const char *name; /* "" if it has none */
  int32_t num_inputs, num_outputs; /* without absent ones at the end */
  int64_t num_attrs;
  const onnxc_op_attr *attrs; /* those that the node gives */
} onnxc_op_node;

/* ---- when a model is compiled: element types and shapes of the outputs ---- */

/* A size that is not known. Numbers below it are symbols: equal ones stand for equal sizes. */
#define ONNXC_OP_UNKNOWN (-1)

typedef struct onnxc_op_infer onnxc_op_infer;
struct onnxc_op_infer {
  uint32_t struct_size;
  const onnxc_op_node *node;
  /* rank is -1 if it is not known; a size may be ONNXC_OP_UNKNOWN or a symbol, which an output may
   * take over; data is set only where the input is a constant of at most 65536 elements. */
  const onnxc_op_tensor *inputs;
  void *impl;
  /* Called for each output; dims has rank sizes and is copied. A rank of -1 says that the rank is not known, which
   * only passes while the inputs' ranks are not known either. */
  void (*set_output)(onnxc_op_infer *infer, int32_t index, int32_t elem_type, int32_t rank, const int64_t *dims);
};

/* ---- when a model runs ---- */

typedef struct onnxc_op_run onnxc_op_run;
struct onnxc_op_run {
  uint32_t struct_size;
  const onnxc_op_node *node;
  void *state; /* of create */
  const onnxc_op_tensor *inputs;
  const onnxc_op_tensor *outputs; /* data and dims are set by output() */
  void *impl;
  /* The memory of an output: to be called once for each that the model uses, also for empty ones. A size that was
   * known when the model was compiled must be that size. NULL if it cannot be had: return
   * an error then. The memory of strings is set_string's to fill. */
  void *(*output)(onnxc_op_run *run, int32_t index, int32_t rank, const int64_t *dims);
  /* Element `element` of a string output; the text is copied. Elements that are not set are empty. Not
   * on several threads. 0, or not if memory is short. */
  int32_t (*set_string)(onnxc_op_run *run, int32_t index, int64_t element, const char *data, size_t size);
  /* Memory, 64-byte aligned, until compute returns; NULL if there is none. */
  void *(*scratch)(onnxc_op_run *run, size_t bytes);
  /* Calls body(arg, begin, end) for ranges that cover [0, n) once each, on the session's
   * threads, and returns when all are done. cost: nanoseconds of one iteration, estimated. */
  void (*parallel_for)(onnxc_op_run *run, void (*body)(void *arg, int64_t begin, int64_t end), void *arg, int64_t n,
                       double cost);
};

/* ---- declarations ---- */

typedef enum onnxc_op_presence {
  ONNXC_OP_REQUIRED = 0,
  ONNXC_OP_OPTIONAL = 1, /* may be absent */
  ONNXC_OP_VARIADIC = 2  /* the last parameter only: min or more */
} onnxc_op_presence;

#define ONNXC_OP_TYPE(elem_type) (UINT64_C(1) << (elem_type))
#define ONNXC_OP_ANY_TYPE (~UINT64_C(0))

typedef struct onnxc_op_param {
  const char *name;
  uint64_t types;       /* bits of ONNXC_OP_TYPE: the element types that it may have */
  const char *type_var; /* parameters with the same name here have the same element type; NULL: its own */
  int32_t presence;     /* onnxc_op_presence */
  int32_t min;          /* of a variadic parameter */
} onnxc_op_param;

typedef struct onnxc_op_attr_decl {
  const char *name;
  int32_t kind;     /* onnxc_op_attr_kind */
  int32_t required; /* not 0: a node without it is refused */
} onnxc_op_attr_decl;

/* The operator has effects or is random: two calls with equal inputs differ. */
#define ONNXC_OP_HAS_EFFECTS 1u

typedef struct onnxc_op {
  uint32_t struct_size;
  uint32_t flags;
  const char *domain; /* any but ONNX's own */
  const char *name;
  /* The node's operator is the one with the highest version that the model's import of the domain allows. */
  int32_t since_version;
  int32_t num_inputs, num_outputs;
  const onnxc_op_param *inputs, *outputs;
  int32_t num_attrs;
  const onnxc_op_attr_decl *attrs; /* a node with others is refused */
  /* Required. May be called many times for a node, with more or less known of its inputs. */
  int32_t (*infer)(onnxc_op_infer *infer, onnxc_op_error *error);
  /* Required. */
  int32_t (*compute)(onnxc_op_run *run, onnxc_op_error *error);
  /* Optional: what is made of a node's attributes, once for each instance of the model, before its first
   * compute, and taken down when the instance is. */
  int32_t (*create)(const onnxc_op_node *node, void **state, onnxc_op_error *error);
  void (*destroy)(void *state);
} onnxc_op;

typedef struct onnxc_op_library {
  uint32_t abi_version; /* ONNXC_CUSTOM_OP_ABI */
  uint32_t struct_size;
  int32_t num_ops;
  const onnxc_op *const *ops;
} onnxc_op_library;

/* What the library defines, with C linkage and default visibility. abi_version is the caller's; NULL
 * says that the library cannot serve it. */
typedef const onnxc_op_library *(*onnxc_custom_ops_fn)(uint32_t abi_version);
#define ONNXC_CUSTOM_OPS_ENTRY "onnxc_custom_ops"
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const onnxc_op_library *onnxc_custom_ops(uint32_t abi_version);

/* ---- helpers ---- */

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline int32_t onnxc_op_fail(onnxc_op_error *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return 1;
}

/* The attribute of that name and kind; NULL if the node does not give it so. */
static inline const onnxc_op_attr *onnxc_op_find_attr(const onnxc_op_node *node, const char *name,
                                                      onnxc_op_attr_kind kind) {
  int64_t i;
  for (i = 0; i < node->num_attrs; ++i)
    if (node->attrs[i].kind == (int32_t)kind && strcmp(node->attrs[i].name, name) == 0)
      return &node->attrs[i];
  return NULL;
}
static inline int64_t onnxc_op_int(const onnxc_op_node *node, const char *name, int64_t fallback) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_INT);
  return attr ? *(const int64_t *)attr->data : fallback;
}
static inline float onnxc_op_float(const onnxc_op_node *node, const char *name, float fallback) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_FLOAT);
  return attr ? *(const float *)attr->data : fallback;
}
static inline onnxc_string onnxc_op_string(const onnxc_op_node *node, const char *name, const char *fallback) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_STRING);
  onnxc_string text;
  if (attr)
    return *(const onnxc_string *)attr->data;
  text.data = fallback;
  text.size = strlen(fallback);
  return text;
}
/* count elements; NULL and count 0 if the node does not give them. */
static inline const int64_t *onnxc_op_ints(const onnxc_op_node *node, const char *name, int64_t *count) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_INTS);
  *count = attr ? attr->count : 0;
  return attr ? (const int64_t *)attr->data : NULL;
}
static inline const float *onnxc_op_floats(const onnxc_op_node *node, const char *name, int64_t *count) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_FLOATS);
  *count = attr ? attr->count : 0;
  return attr ? (const float *)attr->data : NULL;
}
static inline const onnxc_string *onnxc_op_strings(const onnxc_op_node *node, const char *name, int64_t *count) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_STRINGS);
  *count = attr ? attr->count : 0;
  return attr ? (const onnxc_string *)attr->data : NULL;
}
static inline const onnxc_op_tensor *onnxc_op_tensor_attr(const onnxc_op_node *node, const char *name) {
  const onnxc_op_attr *attr = onnxc_op_find_attr(node, name, ONNXC_OP_TENSOR);
  return attr ? (const onnxc_op_tensor *)attr->data : NULL;
}
static inline int64_t onnxc_op_num_elements(const onnxc_op_tensor *tensor) {
  int64_t count = 1;
  int32_t i;
  for (i = 0; i < tensor->rank; ++i)
    count *= tensor->dims[i];
  return count;
}

#ifdef __cplusplus
}
#endif
#endif
