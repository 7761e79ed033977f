/* What the compiler generates and what generated code may call: the contract
 * between the compiler's lowering to LLVM and runtime/model. Kernels use
 * runtime/kernels/kernel.h, whose services generated code may call as well.
 *
 * A model.so must pull in onnxc_model_entry (ld: -u onnxc_model_entry).
 */
#ifndef ONNXC_MODEL_GENERATED_H
#define ONNXC_MODEL_GENERATED_H

#include "../kernels/kernel.h"
#include "onnxc/runtime/custom_op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Added to kind: the value may be absent; generated code sees a handle whose object
 * has kind ONNXC_NONE when it is. */
#define ONNXC_ARG_OPTIONAL 0x100

typedef struct onnxc_arg_desc {
  const char *name;
  int32_t kind;        /* onnxc_kind, | ONNXC_ARG_OPTIONAL */
  int32_t elem_type;   /* of a tensor: onnxc_elem_type */
  int32_t rank;        /* -1: any */
  const int64_t *dims; /* >= 0: the size; -1: any; <= -2: symbol -d - 2, equal symbols are equal sizes */
  const char *type_str; /* as in the metadata: "seq(map(int64,tensor(float)))" */
} onnxc_arg_desc;

/* Something that the code uses and a CPU may lack. x86: a bit of cpuid. AArch64: a bit of what getauxval() tells
 * of leaf (AT_HWCAP or AT_HWCAP2); subleaf and reg are 0. */
typedef struct onnxc_cpu_feature {
  const char *name;
  uint32_t leaf, subleaf;
  int32_t reg; /* 0: eax, 1: ebx, 2: ecx, 3: edx */
  int32_t bit;
} onnxc_cpu_feature;

/* The code compiled for one CPU. */
typedef struct onnxc_variant {
  const char *cpu;
  /* 0 on success; failures of checks and kernels do not return here. */
  int32_t (*main)(onnxc_ctx *ctx);
  int64_t arena_bytes;
  const onnxc_region *regions;
  int64_t num_regions;
  const onnxc_cpu_feature *features;
  int64_t num_features;
  uint64_t saved_state; /* what the operating system must save of the registers: bits of XCR0 */
} onnxc_variant;

typedef struct onnxc_model_desc {
  const char *metadata;
  int64_t metadata_size;
  int32_t num_inputs, num_outputs;
  const onnxc_arg_desc *inputs, *outputs;
  int64_t arena_align; /* a power of two; 0 means 64 */
  /* The one with the most features that this CPU has is run. */
  const onnxc_variant *variants;
  int64_t num_variants;
} onnxc_model_desc;

/* Libraries of custom operators, and the operators that the model calls. */
typedef struct onnxc_custom_library {
  const char *name;          /* the file's, without folder */
  onnxc_custom_ops_fn entry; /* of one that is part of the model; NULL: it is loaded */
} onnxc_custom_library;

typedef struct onnxc_custom_op {
  int32_t library;
  int32_t since_version;
  const char *domain;
  const char *name;
} onnxc_custom_op;

typedef struct onnxc_custom_desc {
  int64_t num_libraries, num_ops;
  const onnxc_custom_library *libraries;
  const onnxc_custom_op *ops;
} onnxc_custom_desc;

/* ---- defined by generated code ---- */
extern const onnxc_model_desc onnxc_generated_desc;
/* Of models with custom operators. */
extern const onnxc_custom_desc onnxc_generated_custom;

/* ---- called by generated code ---- */

/* Input i. Strings: an array of const onnxc_str *. Sequences, maps and optionals: one
 * cell with an onnxc_object *, rank 0. The data is never NULL. */
void *onnxc_input_data(onnxc_ctx *ctx, int32_t i);
const int64_t *onnxc_input_dims(onnxc_ctx *ctx, int32_t i);
void *onnxc_arena(onnxc_ctx *ctx);

/* Memory for a tensor output that is not a string tensor: the caller's, the host's or the
 * instance's. Ends the run if the caller's shape differs. */
void *onnxc_output(onnxc_ctx *ctx, int32_t index, int32_t rank, const int64_t *dims);
/* Any output from a value that lives elsewhere: copied, strings and handles converted.
 * Needed for strings and for all that is not a tensor. */
void onnxc_set_output(onnxc_ctx *ctx, int32_t index, int32_t rank, const int64_t *dims, void *data);

/* Ends the run with message if ok is 0. */
void onnxc_check(onnxc_ctx *ctx, int32_t ok, const char *message);
/* Ends the run if its caller has cancelled it. */
void onnxc_cancel_point(onnxc_ctx *ctx);
/* A region begins, for the caller's profile if it wants one. */
void onnxc_begin_region(onnxc_ctx *ctx, int32_t region);
void onnxc_call_kernel(onnxc_ctx *ctx, onnxc_kernel_fn kernel, const onnxc_attrs *attrs,
                       int32_t num_in, const onnxc_tensor *in, int32_t num_out, onnxc_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
