/* Operators for the tests of custom operators, over the C interface alone. */
#include "onnxc/runtime/custom_op.h"

#include <stdlib.h>

#define ANY ONNXC_OP_ANY_TYPE
#define FLOATS ONNXC_OP_TYPE(ONNXC_FLOAT)
#define COUNT(list) ((int32_t)(sizeof(list) / sizeof(list[0])))
#define OPERATOR(op, opName, version, ins, outs, attributes, inferFn, computeFn, createFn, destroyFn, opFlags)      \
  static const onnxc_op op = {sizeof(onnxc_op), opFlags, "test.ops", opName, version, COUNT(ins), COUNT(outs), ins, \
                              outs, COUNT(attributes), attributes, inferFn, computeFn, createFn, destroyFn}

static const onnxc_op_param anyX[] = {{"x", ANY, "T", ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_param anyY[] = {{"y", ANY, "T", ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_param floatX[] = {{"x", FLOATS, NULL, ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_param floatY[] = {{"y", FLOATS, NULL, ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_param longY[] = {{"y", ONNXC_OP_TYPE(ONNXC_INT64), NULL, ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_attr_decl unused[] = {{"unused", ONNXC_OP_INT, 0}};

static int32_t inferLikeFirst(onnxc_op_infer *in, onnxc_op_error *error) {
  (void)error;
  in->set_output(in, 0, in->inputs[0].elem_type, in->inputs[0].rank, in->inputs[0].dims);
  return 0;
}

static size_t bytesOf(const onnxc_op_tensor *t) {
  static const uint8_t sizes[29] = {0, 4, 1, 1, 2, 2, 4, 8, 16, 1, 2, 8, 4, 8, 8, 16, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  return (size_t)onnxc_op_num_elements(t) * sizes[t->elem_type];
}

/* Copy: any type and shape. */
static int32_t computeCopy(onnxc_op_run *run, onnxc_op_error *error) {
  const onnxc_op_tensor *x = &run->inputs[0];
  void *y = run->output(run, 0, x->rank, x->dims);
  int64_t i, count = onnxc_op_num_elements(x);
  const onnxc_string *strings = (const onnxc_string *)x->data;
  if (!y)
    return onnxc_op_fail(error, "no memory");
  if (x->elem_type != ONNXC_STRING)
    memcpy(y, x->data, bytesOf(x));
  else
    for (i = 0; i < count; ++i)
      if (run->set_string(run, 0, i, strings[i].data, strings[i].size))
        return onnxc_op_fail(error, "no memory");
  return 0;
}
OPERATOR(copy, "Copy", 1, anyX, anyY, unused, inferLikeFirst, computeCopy, NULL, NULL, 0);

/* Sum: of one or more vectors of one size. */
static const onnxc_op_param sumIn[] = {{"x", FLOATS, NULL, ONNXC_OP_VARIADIC, 1}};
static int32_t computeSum(onnxc_op_run *run, onnxc_op_error *error) {
  const onnxc_op_tensor *x = run->inputs;
  int64_t k, n = onnxc_op_num_elements(x);
  int32_t i;
  float *y = (float *)run->output(run, 0, x->rank, x->dims);
  if (!y)
    return 1;
  for (k = 0; k < n; ++k)
    y[k] = 0;
  for (i = 0; i < run->node->num_inputs; ++i) {
    if (onnxc_op_num_elements(&x[i]) != n)
      return onnxc_op_fail(error, "input %d has %lld elements, the first %lld", i,
                           (long long)onnxc_op_num_elements(&x[i]), (long long)n);
    for (k = 0; k < n; ++k)
      y[k] += ((const float *)x[i].data)[k];
  }
  return 0;
}
OPERATOR(sum, "Sum", 1, sumIn, floatY, unused, inferLikeFirst, computeSum, NULL, NULL, 0);

/* Describe: the node's attributes as one string; the tensor attribute of any type by its number of elements. */
static const onnxc_op_param stringY[] = {{"y", ONNXC_OP_TYPE(ONNXC_STRING), NULL, ONNXC_OP_REQUIRED, 0}};
static const onnxc_op_attr_decl allKinds[] = {
    {"i", ONNXC_OP_INT, 1},  {"f", ONNXC_OP_FLOAT, 0},   {"s", ONNXC_OP_STRING, 0}, {"is", ONNXC_OP_INTS, 0},
    {"fs", ONNXC_OP_FLOATS, 0}, {"ss", ONNXC_OP_STRINGS, 0}, {"t", ONNXC_OP_TENSOR, 0}};
static void describe(const onnxc_op_node *node, char *text, size_t size) {
  int64_t i, count;
  size_t at = 0;
  onnxc_string s = onnxc_op_string(node, "s", "none");
  const int64_t *is;
  const float *fs;
  const onnxc_string *ss;
  const onnxc_op_tensor *t = onnxc_op_tensor_attr(node, "t");
  at += (size_t)snprintf(text + at, size - at, "%s i=%lld f=%g s=%.*s is=", node->name,
                         (long long)onnxc_op_int(node, "i", -1), onnxc_op_float(node, "f", -1), (int)s.size, s.data);
  is = onnxc_op_ints(node, "is", &count);
  for (i = 0; i < count; ++i)
    at += (size_t)snprintf(text + at, size - at, "%lld,", (long long)is[i]);
  at += (size_t)snprintf(text + at, size - at, " fs=");
  fs = onnxc_op_floats(node, "fs", &count);
  for (i = 0; i < count; ++i)
    at += (size_t)snprintf(text + at, size - at, "%g,", fs[i]);
  at += (size_t)snprintf(text + at, size - at, " ss=");
  ss = onnxc_op_strings(node, "ss", &count);
  for (i = 0; i < count; ++i)
    at += (size_t)snprintf(text + at, size - at, "%.*s,", (int)ss[i].size, ss[i].data);
  if (t && t->elem_type == ONNXC_FLOAT)
    snprintf(text + at, size - at, " t=%dx%lld:%g", t->rank, (long long)onnxc_op_num_elements(t),
             ((const float *)t->data)[0]);
}
static int32_t inferDescribe(onnxc_op_infer *in, onnxc_op_error *error) {
  int64_t one = 2;
  char text[512];
  if (onnxc_op_int(in->node, "i", -1) < 0)
    return onnxc_op_fail(error, "attribute i is %lld", (long long)onnxc_op_int(in->node, "i", -1));
  describe(in->node, text, sizeof text);
  in->set_output(in, 0, ONNXC_STRING, 1, &one);
  return 0;
}
static int32_t computeDescribe(onnxc_op_run *run, onnxc_op_error *error) {
  char text[512];
  int64_t one = 2;
  (void)error;
  if (!run->output(run, 0, 1, &one))
    return 1;
  describe(run->node, text, sizeof text);
  return run->set_string(run, 0, 0, text, strlen(text)); /* the other stays empty */
}
OPERATOR(describeOp, "Describe", 1, floatX, stringY, allKinds, inferDescribe, computeDescribe, NULL, NULL, 0);

/* Parts: a required and two optional inputs and outputs: x + a - b, and x, and the number of inputs. */
static const onnxc_op_param partsIn[] = {{"x", FLOATS, NULL, ONNXC_OP_REQUIRED, 0},
                                         {"a", FLOATS, NULL, ONNXC_OP_OPTIONAL, 0},
                                         {"b", FLOATS, NULL, ONNXC_OP_OPTIONAL, 0}};
static const onnxc_op_param partsOut[] = {{"y", FLOATS, NULL, ONNXC_OP_REQUIRED, 0},
                                          {"copy", FLOATS, NULL, ONNXC_OP_OPTIONAL, 0},
                                          {"count", ONNXC_OP_TYPE(ONNXC_INT64), NULL, ONNXC_OP_OPTIONAL, 0}};
static int32_t inferParts(onnxc_op_infer *in, onnxc_op_error *error) {
  int32_t i;
  (void)error;
  for (i = 0; i < in->node->num_outputs; ++i)
    if (i < 2)
      in->set_output(in, i, ONNXC_FLOAT, in->inputs[0].rank, in->inputs[0].dims);
    else
      in->set_output(in, i, ONNXC_INT64, 0, NULL);
  return 0;
}
static int32_t computeParts(onnxc_op_run *run, onnxc_op_error *error) {
  const onnxc_op_tensor *x = run->inputs;
  int64_t k, n = onnxc_op_num_elements(x), present = 0;
  int32_t i;
  (void)error;
  for (i = 0; i < run->node->num_outputs; ++i) {
    float *y;
    if (!run->outputs[i].elem_type)
      continue;
    if (i == 2) {
      int64_t *count = (int64_t *)run->output(run, 2, 0, NULL);
      for (k = 0; k < run->node->num_inputs; ++k)
        present += x[k].elem_type != 0;
      if (count)
        *count = present;
      continue;
    }
    y = (float *)run->output(run, i, x->rank, x->dims);
    if (!y)
      return 1;
    for (k = 0; k < n; ++k) {
      y[k] = ((const float *)x->data)[k];
      if (i == 0 && run->node->num_inputs > 1 && x[1].elem_type)
        y[k] += ((const float *)x[1].data)[k];
      if (i == 0 && run->node->num_inputs > 2 && x[2].elem_type)
        y[k] -= ((const float *)x[2].data)[k];
    }
  }
  return 0;
}
OPERATOR(parts, "Parts", 1, partsIn, partsOut, unused, inferParts, computeParts, NULL, NULL, 0);

/* Repeat: as often as the constant second input says. */
static const onnxc_op_param repeatIn[] = {{"x", FLOATS, NULL, ONNXC_OP_REQUIRED, 0},
                                          {"times", ONNXC_OP_TYPE(ONNXC_INT64), NULL, ONNXC_OP_REQUIRED, 0}};
static int32_t inferRepeat(onnxc_op_infer *in, onnxc_op_error *error) {
  int64_t size = ONNXC_OP_UNKNOWN;
  if (in->inputs[0].rank != 1)
    return onnxc_op_fail(error, "x must have rank 1");
  if (in->inputs[1].data && in->inputs[0].dims[0] >= 0)
    size = in->inputs[0].dims[0] * *(const int64_t *)in->inputs[1].data;
  in->set_output(in, 0, ONNXC_FLOAT, 1, &size);
  return 0;
}
static int32_t computeRepeat(onnxc_op_run *run, onnxc_op_error *error) {
  int64_t k, n = run->inputs[0].dims[0], size = n * *(const int64_t *)run->inputs[1].data;
  float *y = (float *)run->output(run, 0, 1, &size);
  if (!y)
    return onnxc_op_fail(error, "no memory for %lld elements", (long long)size);
  for (k = 0; k < size; ++k)
    y[k] = ((const float *)run->inputs[0].data)[k % n];
  return 0;
}
OPERATOR(repeat, "Repeat", 1, repeatIn, floatY, unused, inferRepeat, computeRepeat, NULL, NULL, 0);

/* Count: how often this node has run in its instance; create fails for a negative start. */
static const onnxc_op_attr_decl startAttr[] = {{"start", ONNXC_OP_INT, 0}};
static int32_t inferScalar(onnxc_op_infer *in, onnxc_op_error *error) {
  (void)error;
  in->set_output(in, 0, ONNXC_INT64, 0, NULL);
  return 0;
}
static int32_t createCount(const onnxc_op_node *node, void **state, onnxc_op_error *error) {
  int64_t start = onnxc_op_int(node, "start", 0);
  if (start < 0)
    return onnxc_op_fail(error, "start is %lld", (long long)start);
  *state = malloc(sizeof(int64_t));
  *(int64_t *)*state = start;
  return 0;
}
static int32_t computeCount(onnxc_op_run *run, onnxc_op_error *error) {
  int64_t *y = (int64_t *)run->output(run, 0, 0, NULL);
  (void)error;
  if (!y)
    return 1;
  *y = ++*(int64_t *)run->state;
  return 0;
}
OPERATOR(count, "Count", 1, floatX, longY, startAttr, inferScalar, computeCount, createCount, free, ONNXC_OP_HAS_EFFECTS);

/* Version 1 gives 1, version 3 gives 3. */
static int32_t computeOne(onnxc_op_run *run, onnxc_op_error *error) {
  int64_t *y = (int64_t *)run->output(run, 0, 0, NULL);
  (void)error;
  *y = 1;
  return 0;
}
static int32_t computeThree(onnxc_op_run *run, onnxc_op_error *error) {
  int64_t *y = (int64_t *)run->output(run, 0, 0, NULL);
  (void)error;
  *y = 3;
  return 0;
}
OPERATOR(version1, "Version", 1, floatX, longY, unused, inferScalar, computeOne, NULL, NULL, 0);
OPERATOR(version3, "Version", 3, floatX, longY, unused, inferScalar, computeThree, NULL, NULL, 0);
OPERATOR(late, "Late", 3, floatX, longY, unused, inferScalar, computeThree, NULL, NULL, 0);

/* What a library can do wrong when it runs; the attribute says what. */
static const onnxc_op_attr_decl howAttr[] = {{"how", ONNXC_OP_STRING, 1}};
static int32_t computeWrong(onnxc_op_run *run, onnxc_op_error *error) {
  onnxc_string how = onnxc_op_string(run->node, "how", "");
  const onnxc_op_tensor *x = run->inputs;
  int64_t dims[2] = {1, 1};
  if (!strncmp(how.data, "fails", how.size))
    return onnxc_op_fail(error, "it is told to fail");
  if (!strncmp(how.data, "silent", how.size))
    return 7;
  if (!strncmp(how.data, "nothing", how.size))
    return 0;
  if (!strncmp(how.data, "memory", how.size)) {
    if (!run->scratch(run, (size_t)1 << 60))
      return onnxc_op_fail(error, "too much");
    return 0;
  }
  if (!strncmp(how.data, "rank", how.size))
    return run->output(run, 0, 2, dims) ? 0 : 1;
  dims[0] = x->dims[0] + 1;
  return run->output(run, 0, 1, dims) ? 0 : 1;
}
OPERATOR(wrong, "Wrong", 1, floatX, floatY, howAttr, inferLikeFirst, computeWrong, NULL, NULL, 0);

static const onnxc_op *const ops[] = {&copy, &sum, &describeOp, &parts, &repeat, &count, &version1, &version3, &late, &wrong};

/* What a library can do wrong when it is loaded, by the environment. */
const onnxc_op_library *onnxc_custom_ops(uint32_t abi_version) {
  static onnxc_op_library library = {ONNXC_CUSTOM_OP_ABI, sizeof(onnxc_op_library), COUNT(ops), ops};
  const char *how = getenv("ONNXC_TEST_OPS");
  library.abi_version = how && !strcmp(how, "abi") ? abi_version + 1 : abi_version;
  library.num_ops = how && !strcmp(how, "few") ? 1 : COUNT(ops);
  return how && !strcmp(how, "null") ? NULL : &library;
}
