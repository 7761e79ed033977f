// Operators that the user's libraries implement (onnxc/runtime/custom_op.h): finds them when an instance is made,
// and calls them. Part of models that have such operators only.
//
// The library's code may be C++, so no failure of a service may jump over its frames: services that
// fail return (attempt), and the jump is made when the callback has returned.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "onnxc/runtime/custom_op.h"

using namespace onnxc_rt;

namespace {

// A node, as the instance's first run of it made it.
struct Node {
  const onnxc_attrs *key;
  const onnxc_op *op;
  onnxc_op_node node;
  void *state;
  int64_t numInputs;
  const onnxc_attr *shapes;
  Node *next;
};

} // namespace

struct onnxc_rt::CustomOps {
  const onnxc_op **ops; // as in onnxc_generated_custom
  void **libraries;     // of dlopen; null for those in the model
  Node *nodes;
};

//===-- Loading -------------------------------------------------------------===//

namespace {

const onnxc_custom_desc &desc() { return onnxc_generated_custom; }

const char *fileName(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// The library at `path`; what is wrong is in `why`.
void *openLibrary(const char *path, char *why, size_t size) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const char *error = handle ? nullptr : dlerror();
  if (error)
    snprintf(why, size, "%s", error);
  return handle;
}

// From the paths that the program gave, then beside the model, then from where the system looks.
void *findLibrary(const onnxc_host *host, const char *name, char *why, size_t size) {
  bool knowsPaths = host && host->struct_size >= offsetof(onnxc_host, num_custom_op_libraries) + sizeof(int32_t);
  for (int32_t i = 0; knowsPaths && i < host->num_custom_op_libraries; ++i)
    if (strcmp(fileName(host->custom_op_libraries[i]), name) == 0)
      return openLibrary(host->custom_op_libraries[i], why, size);
  Dl_info info;
  char path[4096];
  if (dladdr(reinterpret_cast<const void *>(&findLibrary), &info) && info.dli_fname &&
      strchr(info.dli_fname, '/')) {
    int folder = static_cast<int>(fileName(info.dli_fname) - info.dli_fname);
    int length = snprintf(path, sizeof(path), "%.*s%s", folder, info.dli_fname, name);
    FILE *file = length > 0 && length < static_cast<int>(sizeof(path)) ? fopen(path, "rb") : nullptr;
    if (file) {
      fclose(file);
      return openLibrary(path, why, size);
    }
  }
  return openLibrary(name, why, size);
}

const onnxc_op_library *tableOf(const onnxc_custom_library &library, void *handle, char *why, size_t size) {
  onnxc_custom_ops_fn entry = library.entry;
  if (!entry)
    entry = reinterpret_cast<onnxc_custom_ops_fn>(dlsym(handle, ONNXC_CUSTOM_OPS_ENTRY));
  if (!entry) {
    snprintf(why, size, "it does not define " ONNXC_CUSTOM_OPS_ENTRY);
    return nullptr;
  }
  const onnxc_op_library *table = entry(ONNXC_CUSTOM_OP_ABI);
  if (!table || table->abi_version != ONNXC_CUSTOM_OP_ABI) {
    snprintf(why, size, "it is built for another version of the interface of custom operators than the model (%u)",
             ONNXC_CUSTOM_OP_ABI);
    return nullptr;
  }
  return table;
}

const onnxc_op *findOperator(const onnxc_op_library &table, const onnxc_custom_op &wanted) {
  for (int32_t i = 0; i < table.num_ops; ++i) {
    const onnxc_op *op = table.ops[i];
    if (op && op->struct_size >= sizeof(onnxc_op) && op->since_version == wanted.since_version && op->compute &&
        strcmp(op->domain, wanted.domain) == 0 && strcmp(op->name, wanted.name) == 0)
      return op;
  }
  return nullptr;
}

bool load(onnxc_ctx *ctx, char *message, size_t size) {
  CustomOps &custom = *ctx->custom;
  for (int64_t i = 0; i < desc().num_libraries; ++i) {
    const onnxc_custom_library &library = desc().libraries[i];
    char why[512] = "";
    if (!library.entry)
      custom.libraries[i] = findLibrary(ctx->host, library.name, why, sizeof(why));
    const onnxc_op_library *table =
        library.entry || custom.libraries[i] ? tableOf(library, custom.libraries[i], why, sizeof(why)) : nullptr;
    if (!table) {
      snprintf(message, size, "the library '%s' of custom operators cannot be loaded: %s", library.name, why);
      return false;
    }
    for (int64_t k = 0; k < desc().num_ops; ++k) {
      const onnxc_custom_op &wanted = desc().ops[k];
      if (wanted.library != i)
        continue;
      custom.ops[k] = findOperator(*table, wanted);
      if (!custom.ops[k]) {
        snprintf(message, size, "the library '%s' does not declare operator %s of domain %s with version %d, which the "
                                "model was compiled with", library.name, wanted.name, wanted.domain, wanted.since_version);
        return false;
      }
    }
  }
  return true;
}

} // namespace

onnxc_status onnxc_rt::openCustomOps(onnxc_ctx *ctx, char *message, size_t size) {
  auto numOps = static_cast<size_t>(desc().num_ops), numLibraries = static_cast<size_t>(desc().num_libraries);
  char *memory = static_cast<char *>(calloc(1, sizeof(CustomOps) + (numOps + numLibraries) * sizeof(void *)));
  if (!memory)
    return ONNXC_OUT_OF_MEMORY;
  ctx->custom = reinterpret_cast<CustomOps *>(memory);
  ctx->custom->ops = reinterpret_cast<const onnxc_op **>(memory + sizeof(CustomOps));
  ctx->custom->libraries = reinterpret_cast<void **>(memory + sizeof(CustomOps) + numOps * sizeof(void *));
  return load(ctx, message, size) ? ONNXC_OK : ONNXC_LOAD_FAILED;
}

void onnxc_rt::closeCustomOps(onnxc_ctx *ctx) {
  if (!ctx->custom)
    return;
  for (Node *node = ctx->custom->nodes; node; node = node->next)
    if (node->op->destroy)
      node->op->destroy(node->state);
  for (int64_t i = 0; i < desc().num_libraries; ++i)
    if (ctx->custom->libraries[i])
      dlclose(ctx->custom->libraries[i]);
  free(ctx->custom);
}

//===-- A node --------------------------------------------------------------===//

namespace {

[[noreturn]] void nodeFails(onnxc_ctx *ctx, const onnxc_op *op, const char *name, const char *what) {
  failWith(ctx, ONNXC_RUNTIME_ERROR, "custom operator %s of domain %s%s%s%s: %s", op->name, op->domain,
           *name ? ", node '" : "", name, *name ? "'" : "", what);
}

void *keptMemory(onnxc_ctx *ctx, size_t bytes) {
  void *memory = onnxc_alloc(ctx, static_cast<int64_t>(bytes ? bytes : 1));
  onnxc_keep(ctx, nullptr, memory);
  return memory;
}

void toStrings(onnxc_string *to, const onnxc_str *from, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = {from[i].data, static_cast<size_t>(from[i].size)};
}

// Strings of a tensor as the library sees them.
onnxc_string *stringsOf(onnxc_ctx *ctx, const onnxc_tensor &tensor, bool keep) {
  int64_t count = onnxc_num_elements(&tensor);
  size_t bytes = static_cast<size_t>(count) * sizeof(onnxc_string);
  auto *strings = static_cast<onnxc_string *>(keep ? keptMemory(ctx, bytes)
                                                   : onnxc_alloc(ctx, static_cast<int64_t>(bytes)));
  auto *handles = static_cast<const onnxc_str *const *>(tensor.data);
  for (int64_t i = 0; i < count; ++i)
    strings[i] = {handles[i]->data, static_cast<size_t>(handles[i]->size)};
  return strings;
}

onnxc_op_attr convertAttr(onnxc_ctx *ctx, const onnxc_attr &attr) {
  onnxc_op_attr result = {attr.name, static_cast<int32_t>(attr.kind), attr.count, attr.data};
  if (attr.kind == ONNXC_ATTR_STRING || attr.kind == ONNXC_ATTR_STRINGS) {
    auto *strings = static_cast<onnxc_string *>(
        keptMemory(ctx, static_cast<size_t>(attr.count) * sizeof(onnxc_string)));
    toStrings(strings, static_cast<const onnxc_str *>(attr.data), attr.count);
    result.data = strings;
  }
  return result;
}

// Tensor attributes are constants of the model: their data lives as long as the instance, not so their sizes.
onnxc_op_attr tensorAttr(onnxc_ctx *ctx, const onnxc_str &name, const onnxc_tensor &tensor) {
  auto *text = static_cast<char *>(keptMemory(ctx, static_cast<size_t>(name.size) + 1));
  memcpy(text, name.data, static_cast<size_t>(name.size));
  text[name.size] = 0;
  auto *copy = static_cast<onnxc_op_tensor *>(keptMemory(ctx, sizeof(onnxc_op_tensor)));
  size_t dimBytes = static_cast<size_t>(tensor.rank) * sizeof(int64_t);
  auto *dims = static_cast<int64_t *>(keptMemory(ctx, dimBytes));
  if (dimBytes)
    memcpy(dims, tensor.dims, dimBytes);
  *copy = {tensor.data, dims, tensor.rank, tensor.elem_type};
  size_t bytes = static_cast<size_t>(onnxc_num_elements(&tensor) * onnxc_elem_size(tensor.elem_type));
  if (tensor.elem_type == ONNXC_STRING) {
    copy->data = stringsOf(ctx, tensor, true);
  } else {
    copy->data = keptMemory(ctx, bytes);
    if (bytes)
      memcpy(copy->data, tensor.data, bytes);
  }
  return {text, ONNXC_OP_TENSOR, 1, copy};
}

Node *makeNode(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in, int32_t numOut) {
  auto *node = static_cast<Node *>(keptMemory(ctx, sizeof(Node)));
  memset(node, 0, sizeof(Node));
  node->key = attrs;
  node->op = ctx->custom->ops[onnxc_attr_int(attrs, "onnxc.op", 0)];
  node->numInputs = onnxc_attr_int(attrs, "onnxc.inputs", 0);
  node->shapes = onnxc_find_attr(attrs, "onnxc.shapes");
  const onnxc_str *name = onnxc_attr_string(attrs, "onnxc.name");
  auto *text = static_cast<char *>(keptMemory(ctx, static_cast<size_t>(name->size) + 1));
  memcpy(text, name->data, static_cast<size_t>(name->size));
  text[name->size] = 0;
  const onnxc_attr *tensors = onnxc_find_attr(attrs, "onnxc.tensors");
  int64_t numTensors = numIn - node->numInputs, count = 0;
  auto *list = static_cast<onnxc_op_attr *>(
      keptMemory(ctx, static_cast<size_t>(attrs->count + numTensors) * sizeof(onnxc_op_attr)));
  for (int64_t i = 0; i < attrs->count; ++i)
    if (strncmp(attrs->items[i].name, "onnxc.", 6) != 0)
      list[count++] = convertAttr(ctx, attrs->items[i]);
  for (int64_t i = 0; i < numTensors; ++i)
    list[count++] = tensorAttr(ctx, static_cast<const onnxc_str *>(tensors->data)[i], in[node->numInputs + i]);
  node->node = {sizeof(onnxc_op_node), text, static_cast<int32_t>(node->numInputs), numOut, count, list};
  if (node->op->create) {
    onnxc_op_error error;
    error.text[0] = 0;
    int32_t status = node->op->create(&node->node, &node->state, &error);
    error.text[sizeof(error.text) - 1] = 0;
    if (status != 0)
      nodeFails(ctx, node->op, text, error.text[0] ? error.text : "its state cannot be made");
  }
  node->next = ctx->custom->nodes;
  ctx->custom->nodes = node;
  return node;
}

Node *nodeOf(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in, int32_t numOut) {
  for (Node *node = ctx->custom->nodes; node; node = node->next)
    if (node->key == attrs)
      return node;
  return makeNode(ctx, attrs, numIn, in, numOut);
}

//===-- One call ------------------------------------------------------------===//

struct Call {
  onnxc_op_run run; // first: what the library has a pointer to
  onnxc_ctx *ctx;
  const Node *node;
  const onnxc_tensor *in;
  onnxc_tensor *out;
  onnxc_op_tensor *outputs;
  struct ScratchBlock *scratch;
  char lock; // scratch may be asked for on several threads
  char wrong[256]; // the first error of a service
};

// A block of the run's pool; the call frees them all.
struct ScratchBlock {
  ScratchBlock *next;
  char padding[kAlign - sizeof(ScratchBlock *)];
};

struct Scratch {
  Call *call;
  int64_t bytes;
  void *data;
};

void allocScratch(void *arg) {
  auto *scratch = static_cast<Scratch *>(arg);
  Call &call = *scratch->call;
  auto *block = static_cast<ScratchBlock *>(
      onnxc_alloc(call.ctx, scratch->bytes + static_cast<int64_t>(sizeof(ScratchBlock))));
  lock(&call.lock);
  block->next = call.scratch;
  call.scratch = block;
  unlock(&call.lock);
  scratch->data = block + 1;
}

void *scratch(onnxc_op_run *run, size_t bytes) {
  if (bytes > static_cast<size_t>(INT64_MAX) - sizeof(ScratchBlock))
    return nullptr;
  Scratch scratch = {reinterpret_cast<Call *>(run), static_cast<int64_t>(bytes), nullptr};
  return attempt(allocScratch, &scratch) ? scratch.data : nullptr;
}

// The shape that the model counts on: of output `index` in the list of all.
const int64_t *shapeOf(const Node &node, int32_t index, int64_t &rank) {
  auto *at = static_cast<const int64_t *>(node.shapes->data);
  for (; index > 0; --index)
    at += 1 + (*at > 0 ? *at : 0);
  rank = *at;
  return at + 1;
}

bool checkShape(Call &call, int32_t index, int32_t rank, const int64_t *dims) {
  int64_t wantedRank;
  const int64_t *wanted = shapeOf(*call.node, index, wantedRank);
  bool fits = rank == wantedRank && (rank == 0 || dims);
  for (int32_t d = 0; fits && d < rank; ++d) {
    int64_t size = wanted[d];
    if (size < -1)
      size = call.in[(-2 - size) / 32].dims[(-2 - size) % 32];
    fits = dims[d] >= 0 && (size == -1 || size == dims[d]);
  }
  if (!fits && !call.wrong[0])
    snprintf(call.wrong, sizeof(call.wrong), "gives output %d the shape [%s], which its infer did not promise", index,
             rank >= 0 && (rank == 0 || dims) ? shapeText(rank, dims).text : "?");
  return fits;
}

struct Output {
  Call *call;
  int32_t index, rank;
  const int64_t *dims;
};

void makeOutput(void *arg) {
  auto *wanted = static_cast<Output *>(arg);
  Call &call = *wanted->call;
  onnxc_tensor &out = call.out[wanted->index];
  if (!out.data)
    onnxc_alloc_out(call.ctx, &out, wanted->rank, wanted->dims);
  onnxc_op_tensor &seen = call.outputs[wanted->index];
  if (out.elem_type == ONNXC_STRING) {
    static const onnxc_str empty = {0, ""};
    int64_t count = onnxc_num_elements(&out);
    auto *handles = static_cast<const onnxc_str **>(out.data);
    for (int64_t i = 0; i < count; ++i)
      handles[i] = &empty;
  }
  seen = {out.data, out.dims, out.rank, out.elem_type};
}

void *output(onnxc_op_run *run, int32_t index, int32_t rank, const int64_t *dims) {
  auto *call = reinterpret_cast<Call *>(run);
  if (index < 0 || index >= call->node->node.num_outputs || call->out[index].elem_type == 0)
    return nullptr;
  if (call->outputs[index].data || !checkShape(*call, index, rank, dims))
    return call->outputs[index].data;
  Output wanted = {call, index, rank, dims};
  return attempt(makeOutput, &wanted) ? call->outputs[index].data : nullptr;
}

struct NewString {
  Call *call;
  const onnxc_str **element;
  const char *data;
  size_t size;
};

void makeString(void *arg) {
  auto *wanted = static_cast<NewString *>(arg);
  *wanted->element = onnxc_new_string(wanted->call->ctx, wanted->data, static_cast<int64_t>(wanted->size));
}

int32_t setString(onnxc_op_run *run, int32_t index, int64_t element, const char *data, size_t size) {
  auto *call = reinterpret_cast<Call *>(run);
  if (index < 0 || index >= call->node->node.num_outputs || call->out[index].elem_type != ONNXC_STRING ||
      !call->outputs[index].data || element < 0 || element >= onnxc_num_elements(&call->out[index]))
    return 1;
  NewString wanted = {call, static_cast<const onnxc_str **>(call->out[index].data) + element, data, size};
  return attempt(makeString, &wanted) ? 0 : 1;
}

struct Loop {
  Call *call;
  void (*body)(void *, int64_t, int64_t);
  void *arg;
  int64_t n;
  double cost;
};

void runLoop(void *arg) {
  auto *loop = static_cast<Loop *>(arg);
  onnxc_parallel_for(loop->call->ctx, loop->body, loop->arg, loop->n, loop->cost);
}

void parallelFor(onnxc_op_run *run, void (*body)(void *, int64_t, int64_t), void *arg, int64_t n, double cost) {
  Loop loop = {reinterpret_cast<Call *>(run), body, arg, n, cost};
  attempt(runLoop, &loop);
}

} // namespace

extern "C" int onnxc_kernel_Custom(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in,
                                   int32_t numOut, onnxc_tensor *out) {
  const Node *node = nodeOf(ctx, attrs, numIn, in, numOut);
  auto numInputs = static_cast<int32_t>(node->numInputs);
  size_t tensors = static_cast<size_t>(numInputs + numOut) * sizeof(onnxc_op_tensor);
  auto *inputs = static_cast<onnxc_op_tensor *>(onnxc_alloc(ctx, static_cast<int64_t>(tensors)));
  onnxc_op_tensor *outputs = inputs + numInputs;
  for (int32_t i = 0; i < numInputs; ++i) {
    inputs[i] = {in[i].data, in[i].dims, in[i].rank, in[i].elem_type};
    if (in[i].elem_type == ONNXC_STRING)
      inputs[i].data = stringsOf(ctx, in[i], false);
  }
  for (int32_t i = 0; i < numOut; ++i)
    outputs[i] = {nullptr, nullptr, 0, out[i].elem_type};
  Call call = {{sizeof(onnxc_op_run), &node->node, node->state, inputs, outputs, nullptr, output, setString, scratch,
                parallelFor},
               ctx, node, in, out, outputs, nullptr, 0, ""};
  onnxc_op_error error;
  error.text[0] = 0;
  int32_t status = node->op->compute(&call.run, &error);
  error.text[sizeof(error.text) - 1] = 0;
  const char *name = node->node.name;
  if (call.wrong[0])
    nodeFails(ctx, node->op, name, call.wrong);
  // What a service failed with comes first: memory that was not to be had.
  if (__atomic_load_n(&ctx->status, __ATOMIC_RELAXED) != ONNXC_OK || status != 0)
    nodeFails(ctx, node->op, name, error.text[0] ? error.text : "it failed");
  for (int32_t i = 0; i < numOut; ++i)
    if (out[i].elem_type != 0 && !outputs[i].data)
      nodeFails(ctx, node->op, name, "it did not make all of its outputs");
  for (int32_t i = 0; i < numInputs; ++i)
    if (in[i].elem_type == ONNXC_STRING)
      onnxc_free(ctx, inputs[i].data);
  onnxc_free(ctx, inputs);
  while (ScratchBlock *block = call.scratch) {
    call.scratch = block->next;
    onnxc_free(ctx, block);
  }
  return 0;
}
