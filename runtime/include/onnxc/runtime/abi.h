/* The C ABI of a compiled model.
 *
 * A model.so exports one symbol, onnxc_model_entry, which returns a table of
 * functions. Everything above it (the C, C++ and Python runtimes) is thin; a
 * program may also use this header alone with dlopen.
 *
 * Thread safety: create/destroy and runs of different instances may happen
 * at the same time; one instance runs one call at a time.
 * Sizes are bytes, shapes are elements, row-major and contiguous.
 */
#ifndef ONNXC_RUNTIME_ABI_H
#define ONNXC_RUNTIME_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "onnxc/runtime/dlpack.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ONNXC_ABI_VERSION 1
#define ONNXC_MAX_RANK 32
/* Estimated time of a parallel region below which its fork and join cost more than a second thread gives. */
#define ONNXC_SERIAL_BELOW_NS 8000.0

typedef enum onnxc_status {
  ONNXC_OK = 0,
  ONNXC_INVALID_ARGUMENT = 1, /* a wrong input: name, type, rank, size */
  ONNXC_RUNTIME_ERROR = 2,    /* a check inside the model failed */
  ONNXC_OUT_OF_MEMORY = 3,
  ONNXC_UNSUPPORTED = 4, /* this machine or this version can't */
  ONNXC_CANCELLED = 5,
  ONNXC_LOAD_FAILED = 6 /* of the runtime: no such file, or not a model */
} onnxc_status;

/* Element types are onnx::TensorProto::DataType values. */
typedef enum onnxc_elem_type {
  ONNXC_UNDEFINED = 0, ONNXC_FLOAT = 1, ONNXC_UINT8 = 2, ONNXC_INT8 = 3, ONNXC_UINT16 = 4,
  ONNXC_INT16 = 5, ONNXC_INT32 = 6, ONNXC_INT64 = 7, ONNXC_STRING = 8, ONNXC_BOOL = 9,
  ONNXC_FLOAT16 = 10, ONNXC_DOUBLE = 11, ONNXC_UINT32 = 12, ONNXC_UINT64 = 13,
  ONNXC_COMPLEX64 = 14, ONNXC_COMPLEX128 = 15, ONNXC_BFLOAT16 = 16, ONNXC_FLOAT8E4M3FN = 17,
  ONNXC_FLOAT8E4M3FNUZ = 18, ONNXC_FLOAT8E5M2 = 19, ONNXC_FLOAT8E5M2FNUZ = 20, ONNXC_UINT4 = 21,
  ONNXC_INT4 = 22, ONNXC_FLOAT4E2M1 = 23, ONNXC_FLOAT8E8M0 = 24, ONNXC_UINT2 = 25, ONNXC_INT2 = 26
} onnxc_elem_type;

typedef enum onnxc_kind {
  ONNXC_NONE = 0,     /* an absent optional */
  ONNXC_TENSOR = 1,
  ONNXC_SEQUENCE = 2, /* items[0..count) */
  ONNXC_MAP = 3       /* items[0]: keys, items[1]: values (tensors of rank 1) */
} onnxc_kind;

/* UTF-8, not terminated. */
typedef struct onnxc_string {
  const char *data;
  size_t size;
} onnxc_string;

/* A value. Tensors are described by DLPack's DLTensor: strides may be NULL or
 * those of a contiguous tensor. Elements below a byte (int4, uint4, int2, uint2,
 * float4e2m1) take one byte each. A string tensor's data is onnxc_string[]. */
typedef struct onnxc_value {
  int32_t kind;      /* onnxc_kind */
  int32_t elem_type; /* of a tensor: onnxc_elem_type */
  DLTensor tensor;
  size_t count;
  struct onnxc_value *items;
} onnxc_value;

/* What the embedding program gives to a model; every member may be NULL, then
 * the model does without (one thread, malloc). */
typedef struct onnxc_host {
  size_t struct_size;
  void *user;
  /* Calls body(arg, begin, end) for ranges that cover [0, n) once each, on any
   * threads, and returns when all are done. cost: estimated nanoseconds of one
   * iteration. */
  void (*parallel_for)(void *user, void (*body)(void *arg, int64_t begin, int64_t end), void *arg,
                       int64_t n, double cost);
  /* Memory for output i of the running call, 64-byte aligned, owned by the
   * host. desc gives dtype, ndim and shape. NULL means out of memory. */
  void *(*allocate_output)(void *user, void *run_user, int32_t index, const DLTensor *desc);
  /* Paths of libraries of custom operators (custom_op.h): the model takes those that have the file names of the
   * ones that it was compiled with, and looks for others beside itself, then where the system does. */
  const char *const *custom_op_libraries;
  int32_t num_custom_op_libraries;
} onnxc_host;

typedef struct onnxc_run_options {
  size_t struct_size;
  void *run_user;                 /* passed to allocate_output */
  const volatile int32_t *cancel; /* non-zero ends the run at the next node */
  /* If set, called on the run's thread when a region begins (an index into
   * onnxc_model::regions; the one before has ended then), and with -1 at the end of the last. */
  void (*profile)(void *profile_user, int32_t region);
  void *profile_user;
} onnxc_run_options;

/* A part of the generated code that is timed by itself: a kernel, a loop nest, a copy. */
typedef struct onnxc_region {
  const char *nodes; /* "<OpType>:<node name>" of the ONNX nodes that it computes, separated by '\n' */
  int32_t parallel;  /* 1 if it may run on several threads */
} onnxc_region;

typedef struct onnxc_instance onnxc_instance;

typedef struct onnxc_model {
  uint32_t abi_version;
  uint32_t struct_size;
  const char *metadata; /* JSON, see docs/runtime.md */
  size_t metadata_size;
  int32_t num_inputs;
  int32_t num_outputs;
  /* An instance holds the memory of one run at a time (arena, string pool). The host
   * table must outlive it. */
  onnxc_status (*create)(const onnxc_host *host, onnxc_instance **out);
  void (*destroy)(onnxc_instance *);
  /* inputs: num_inputs values, checked against the model's signature.
   * outputs: num_outputs values. A tensor output whose tensor.data is set is
   * written there if kind, elem_type, rank and shape fit (else INVALID_ARGUMENT);
   * otherwise tensor.data comes from the host's allocate_output, or, without
   * one, belongs to the instance until its next run. shape pointers, strings,
   * sequences and maps always belong to the instance until its next run. */
  onnxc_status (*run)(onnxc_instance *, const onnxc_value *inputs, onnxc_value *outputs,
                      const onnxc_run_options *options);
  /* Of this instance's last failed run; NULL: of the last failed create on this thread. */
  const char *(*last_error)(const onnxc_instance *);
  const onnxc_region *regions; /* in the order of the code; one in a loop begins many times */
  int32_t num_regions;
} onnxc_model;

/* NULL if the model was built for another ABI version. */
typedef const onnxc_model *(*onnxc_model_entry_fn)(uint32_t abi_version);
#define ONNXC_MODEL_ENTRY "onnxc_model_entry"

#ifdef __cplusplus
}
#endif
#endif
