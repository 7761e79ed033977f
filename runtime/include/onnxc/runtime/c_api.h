/* The C interface of libonnxc_runtime: sessions over compiled models, with
 * checked inputs, the process's thread pool and results that own their memory.
 * Values are those of abi.h. Functions return a status; the message of the last
 * failure on the calling thread is onnxc_last_error(). Nothing throws.
 * Thread safety: a session may be used by many threads at once.
 */
#ifndef ONNXC_RUNTIME_C_API_H
#define ONNXC_RUNTIME_C_API_H

#include "onnxc/runtime/abi.h"
#include "onnxc/runtime/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct onnxc_session onnxc_session;
typedef struct onnxc_result onnxc_result;

typedef struct onnxc_session_options {
  size_t struct_size; /* sizeof(onnxc_session_options) */
  int32_t threads;    /* most threads of a run; 0: all of the pool; 1: the caller alone */
  /* If set, used instead of the process's pool; see onnxc_host. */
  void (*parallel_for)(void *user, void (*body)(void *arg, int64_t begin, int64_t end), void *arg,
                       int64_t n, double cost);
  void *parallel_for_user;
  int32_t profile; /* not 0: runs are timed, for onnxc_session_profile */
  /* Paths of shared libraries of custom operators, for models that load theirs (docs/custom-operators.md). */
  int32_t num_custom_op_libraries;
  const char *const *custom_op_libraries;
} onnxc_session_options;

/* All pointers belong to the session. */
typedef struct onnxc_value_info {
  const char *name;
  const char *type;           /* "tensor(float)", "seq(tensor(string))", ... */
  int32_t elem_type;          /* of a tensor: onnxc_elem_type */
  int32_t rank;               /* -1: any */
  const int64_t *dims;        /* rank values, -1 where the size is not fixed */
  const char *const *symbols; /* rank names, "" where there is none */
} onnxc_value_info;

/* Message of the last function that failed on this thread; never NULL. */
ONNXC_API const char *onnxc_last_error(void);
/* Version of the runtime, "0.1.0". */
ONNXC_API const char *onnxc_runtime_version(void);

/* options may be NULL. On success *session is to be closed by onnxc_session_close, which
 * must not be called while a run is under way. */
ONNXC_API onnxc_status onnxc_session_open(const char *path, const onnxc_session_options *options,
                                          onnxc_session **session);
/* From a model.so in memory; data is not needed afterwards. */
ONNXC_API onnxc_status onnxc_session_open_memory(const void *data, size_t size,
                                                 const onnxc_session_options *options,
                                                 onnxc_session **session);
ONNXC_API void onnxc_session_close(onnxc_session *session);

ONNXC_API size_t onnxc_session_num_inputs(const onnxc_session *session);
ONNXC_API size_t onnxc_session_num_outputs(const onnxc_session *session);
/* NULL if index is out of range. */
ONNXC_API const onnxc_value_info *onnxc_session_input(const onnxc_session *session, size_t index);
ONNXC_API const onnxc_value_info *onnxc_session_output(const onnxc_session *session, size_t index);
/* JSON, terminated; belongs to the session. */
ONNXC_API const char *onnxc_session_metadata(const onnxc_session *session);

/* What the runs took that have ended since the last call, JSON in the format of chrome://tracing, with
 * an event for each part of the model. Belongs to the session until the next call. */
ONNXC_API onnxc_status onnxc_session_profile(onnxc_session *session, const char **json);

/* Runs the model on num_inputs values, named, in any order. outputs receives num_outputs
 * values named by output_names, or, with output_names == NULL, all in the model's order
 * (num_outputs must then be their number). An output that is set to a tensor on
 * entry is written in place; one with kind ONNXC_NONE is allocated. What
 * outputs point to belongs to *result, to be freed by onnxc_result_free. options may be NULL; its run_user is not used.
 */
ONNXC_API onnxc_status onnxc_session_run(onnxc_session *session, size_t num_inputs,
                                         const char *const *input_names, const onnxc_value *inputs,
                                         size_t num_outputs, const char *const *output_names,
                                         onnxc_value *outputs, const onnxc_run_options *options,
                                         onnxc_result **result);
ONNXC_API void onnxc_result_free(onnxc_result *result);

/* A contiguous tensor in CPU memory as a value; nothing is copied. shape has rank
 * sizes. DLPack's dtype is set from elem_type. */
ONNXC_API onnxc_value onnxc_tensor_value(onnxc_elem_type elem_type, int32_t rank,
                                         const int64_t *shape, void *data);

#ifdef __cplusplus
}
#endif
#endif
