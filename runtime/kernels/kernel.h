/* What a kernel sees. Kernels are C functions that generated code calls for
 * irregular work (rt.kernel); they are linked statically into the model's .so
 * and may use libc and libm only: no exceptions, RTTI, libstdc++ or statics
 * that need construction.
 */
#ifndef ONNXC_KERNELS_KERNEL_H
#define ONNXC_KERNELS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "onnxc/runtime/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The running call. Opaque to kernels. */
typedef struct onnxc_ctx onnxc_ctx;

/* An immutable string; a string tensor's elements are pointers to these. */
typedef struct onnxc_str {
  int64_t size;
  const char *data;
} onnxc_str;

/* Element type of a tensor<i64> that holds a handle of an onnxc_object. */
#define ONNXC_HANDLE 100

/* A contiguous row-major tensor. An input that is absent has data == NULL and
 * elem_type == 0. Sub-byte types take one byte an element; bool is 0 or 1. */
typedef struct onnxc_tensor {
  void *data;
  const int64_t *dims;
  int32_t rank;
  int32_t elem_type;
} onnxc_tensor;

/* A value behind a handle: a sequence, optional or map; lives until the run
 * ends. Objects are immutable once made, so they may be shared. */
typedef struct onnxc_object {
  int32_t kind;        /* onnxc_kind; a tensor object holds one tensor */
  int32_t elem_type;   /* of the tensor, or of the tensors of a sequence */
  onnxc_tensor tensor; /* kind TENSOR */
  int64_t count;       /* SEQUENCE: items; MAP: 2 (keys, values) */
  struct onnxc_object **items;
} onnxc_object;

typedef enum onnxc_attr_kind {
  ONNXC_ATTR_INT = 1, ONNXC_ATTR_FLOAT = 2, ONNXC_ATTR_STRING = 3,
  ONNXC_ATTR_INTS = 4, ONNXC_ATTR_FLOATS = 5, ONNXC_ATTR_STRINGS = 6
} onnxc_attr_kind;

typedef struct onnxc_attr {
  const char *name;
  int64_t kind;
  int64_t count;    /* elements; 1 for scalars */
  const void *data; /* int64_t[], float[] or onnxc_str[] */
} onnxc_attr;

typedef struct onnxc_attrs {
  int64_t count;
  const onnxc_attr *items;
} onnxc_attrs;

typedef int (*onnxc_kernel_fn)(onnxc_ctx *, const onnxc_attrs *, int32_t num_in,
                               const onnxc_tensor *in, int32_t num_out, onnxc_tensor *out);

/* ---- services of the running call (runtime/model) ---- */

/* Memory from the run's pool, 64-byte aligned; freed by onnxc_free or at the
 * latest when the run ends. Never returns NULL (it ends the run instead). */
void *onnxc_alloc(onnxc_ctx *ctx, int64_t bytes);
void onnxc_free(onnxc_ctx *ctx, void *data);
/* What a kernel keeps for the instance's later runs, e.g. its attributes in a form that is quick to use: the
 * data stored under a key (the address of the attributes), or NULL. Not for parallel bodies. */
void *onnxc_kept(onnxc_ctx *ctx, const void *key);
/* Lets data, of onnxc_alloc, live as long as the instance; under a key, or with key NULL as a part of
 * something that has one. */
void onnxc_keep(onnxc_ctx *ctx, const void *key, void *data);
/* Gives out its data and dims (copied). elem_type is already set. */
void onnxc_alloc_out(onnxc_ctx *ctx, onnxc_tensor *out, int32_t rank, const int64_t *dims);
/* Ends the run with a formatted message; does not return. All services may be called in
 * parallel bodies too. */
__attribute__((noreturn, format(printf, 2, 3))) void onnxc_fail(onnxc_ctx *ctx, const char *format, ...);
/* body(arg, begin, end) over ranges covering [0, n); cost: ns of one iteration. */
void onnxc_parallel_for(onnxc_ctx *ctx, void (*body)(void *, int64_t, int64_t), void *arg,
                        int64_t n, double cost);
/* A new string in the run's pool, a copy of [data, data + size). */
const onnxc_str *onnxc_new_string(onnxc_ctx *ctx, const char *data, int64_t size);
/* A new object in the run's pool, items uninitialised (count pointers). */
onnxc_object *onnxc_new_object(onnxc_ctx *ctx, int32_t kind, int32_t elem_type, int64_t count);
/* A tensor object that holds a copy of t. */
onnxc_object *onnxc_new_tensor_object(onnxc_ctx *ctx, const onnxc_tensor *t);

/* ---- helpers ---- */
int64_t onnxc_elem_size(int32_t elem_type); /* bytes in storage; strings and handles 8 */
int64_t onnxc_num_elements(const onnxc_tensor *t);
const onnxc_attr *onnxc_find_attr(const onnxc_attrs *attrs, const char *name);
int64_t onnxc_attr_int(const onnxc_attrs *attrs, const char *name, int64_t fallback);
float onnxc_attr_float(const onnxc_attrs *attrs, const char *name, float fallback);
const onnxc_str *onnxc_attr_string(const onnxc_attrs *attrs, const char *name); /* NULL if absent */

#ifdef __cplusplus
}
#endif
#endif
