/* Gives its inputs back: a tensor of rank 2 for each element type, then values of the
 * other kinds. The types are in the order of onnxc_elem_type. */
#include "model/generated.h"

#define TYPES(X) \
  X(1, "float") X(2, "uint8") X(3, "int8") \
  X(4, "uint16") X(5, "int16") X(6, "int32") \
  X(7, "int64") X(8, "string") X(9, "bool") \
  X(10, "float16") X(11, "double") X(12, "uint32") \
  X(13, "uint64") X(14, "complex64") X(15, "complex128") \
  X(16, "bfloat16") X(17, "float8e4m3fn") X(18, "float8e4m3fnuz") \
  X(19, "float8e5m2") X(20, "float8e5m2fnuz") X(21, "uint4") \
  X(22, "int4") X(23, "float4e2m1") X(24, "float8e8m0") \
  X(25, "uint2") X(26, "int2")
/* Without maps it is what can be read from files (Files.c). */
#ifdef WITHOUT_MAPS
#define MAPS(X)
#else
#define MAPS(X) \
  X(ONNXC_SEQUENCE, "seq_map", "seq(map(string,tensor(float)))") \
  X(ONNXC_MAP, "map", "map(int64,tensor(string))")
#endif
#define OTHERS(X) \
  X(ONNXC_SEQUENCE, "seq_float", "seq(tensor(float))") \
  X(ONNXC_SEQUENCE, "seq_string", "seq(tensor(string))") \
  X(ONNXC_SEQUENCE, "seq_seq", "seq(seq(tensor(int64)))") \
  MAPS(X) \
  X(ONNXC_TENSOR | ONNXC_ARG_OPTIONAL, "optional", "optional(tensor(float))")
#define LAST(X) X(ONNXC_SEQUENCE | ONNXC_ARG_OPTIONAL, "optional_seq", "optional(seq(tensor(float)))")

#define DESC(code, type) {type, ONNXC_TENSOR, code, 2, dims, "tensor(" type ")"},
#define OTHER_DESC(kind, name, type) {name, kind, ONNXC_UNDEFINED, -1, 0, type},
static const int64_t dims[] = {-1, -1};
static const onnxc_arg_desc args[] = {TYPES(DESC) OTHERS(OTHER_DESC) LAST(OTHER_DESC)};
enum { numArgs = sizeof args / sizeof *args };

#define ENTRY(name, type, shape) "{\"name\": \"" name "\", \"type\": \"" type "\", \"shape\": " shape "}"
#define JSON(code, type) ENTRY(type, "tensor(" type ")", "[null, null]") ", "
#define OTHER_JSON(kind, name, type) ENTRY(name, type, "null") ", "
#define LAST_JSON(kind, name, type) ENTRY(name, type, "null")
#define VALUES "[" TYPES(JSON) OTHERS(OTHER_JSON) LAST(LAST_JSON) "]"
static const char metadata[] = "{\"abi\": 1, \"inputs\": " VALUES ", \"outputs\": " VALUES "}";
static int32_t runIdentity(onnxc_ctx *ctx) {
  for (int32_t i = 0; i < numArgs; ++i)
    onnxc_set_output(ctx, i, args[i].kind == ONNXC_TENSOR ? 2 : 0, onnxc_input_dims(ctx, i),
                     onnxc_input_data(ctx, i));
  return 0;
}

static const onnxc_variant variant = {"any", runIdentity, 0, 0, 0, 0, 0, 0};
const onnxc_model_desc onnxc_generated_desc = {
    metadata, sizeof metadata - 1, numArgs, numArgs, args, args, 0, &variant, 1};
