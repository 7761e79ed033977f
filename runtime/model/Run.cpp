// The instance's life, one run, and how a run fails: onnxc_fail jumps to the run's start.
// In a parallel body it jumps to the start of that body's range instead; the
// failure is raised again on the calling thread once all ranges are done.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

// The innermost parallel range that runs on this thread.
__thread jmp_buf *currentRange = nullptr;

struct ParallelCall {
  onnxc_ctx *ctx;
  void (*body)(void *, int64_t, int64_t);
  void *arg;
};

void runRange(void *arg, int64_t begin, int64_t end) {
  auto *call = static_cast<ParallelCall *>(arg);
  if (__atomic_load_n(&call->ctx->status, __ATOMIC_RELAXED) != ONNXC_OK)
    return;
  jmp_buf *const outer = currentRange;
  jmp_buf start;
  if (_setjmp(start) == 0) {
    currentRange = &start;
    call->body(call->arg, begin, end);
  }
  currentRange = outer;
}

// Of the last create on this thread, if something else than memory or the CPU was missing.
__thread char createError[1024];

[[noreturn]] void jumpOut(onnxc_ctx *ctx) {
  if (currentRange)
    longjmp(*currentRange, 1);
  longjmp(ctx->runStart, 1);
}

[[noreturn]] void failV(onnxc_ctx *ctx, onnxc_status status, const char *format, va_list args) {
  lock(&ctx->failLock);
  if (ctx->status == ONNXC_OK) {
    vsnprintf(ctx->error, sizeof(ctx->error), format, args);
    __atomic_store_n(&ctx->status, status, __ATOMIC_RELAXED);
  }
  unlock(&ctx->failLock);
  jumpOut(ctx);
}

void runModel(onnxc_ctx *ctx) {
  takeInputs(ctx);
  int32_t code = ctx->variant->main(ctx);
  onnxc_begin_region(ctx, -1);
  if (code != 0)
    failWith(ctx, ONNXC_RUNTIME_ERROR, "the model ended with code %d", code);
  finishOutputs(ctx);
}

// Alone in its function: no local may change between setjmp and longjmp.
__attribute__((noinline)) void runGuarded(onnxc_ctx *ctx) {
  if (_setjmp(ctx->runStart) == 0)
    runModel(ctx);
}

} // namespace

bool onnxc_rt::attempt(void (*body)(void *), void *arg) {
  jmp_buf *const outer = currentRange;
  jmp_buf start;
  if (_setjmp(start) == 0) {
    currentRange = &start;
    body(arg);
    currentRange = outer;
    return true;
  }
  currentRange = outer;
  return false;
}

void onnxc_rt::failWith(onnxc_ctx *ctx, onnxc_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  failV(ctx, status, format, args);
}

extern "C" {

void onnxc_fail(onnxc_ctx *ctx, const char *format, ...) {
  va_list args;
  va_start(args, format);
  failV(ctx, ONNXC_RUNTIME_ERROR, format, args);
}

void onnxc_check(onnxc_ctx *ctx, int32_t ok, const char *message) {
  if (!ok)
    failWith(ctx, ONNXC_RUNTIME_ERROR, "%s", message);
}

void onnxc_cancel_point(onnxc_ctx *ctx) {
  if (ctx->options && ctx->options->cancel && *ctx->options->cancel)
    failWith(ctx, ONNXC_CANCELLED, "the run was cancelled");
}

void onnxc_begin_region(onnxc_ctx *ctx, int32_t region) {
  if (ctx->profile)
    ctx->profile(ctx->options->profile_user, region);
}

void *onnxc_arena(onnxc_ctx *ctx) { return ctx->arena; }

void onnxc_parallel_for(onnxc_ctx *ctx, void (*body)(void *, int64_t, int64_t), void *arg, int64_t n,
                        double cost) {
  if (n <= 0)
    return;
  // Loops within recurrent steps come here by the thousand.
  bool isSmall = cost > 0 && static_cast<double>(n) * cost < ONNXC_SERIAL_BELOW_NS;
  if (n == 1 || isSmall || !ctx->host || !ctx->host->parallel_for) {
    body(arg, 0, n);
    return;
  }
  ParallelCall call = {ctx, body, arg};
  ctx->host->parallel_for(ctx->host->user, runRange, &call, n, cost);
  if (__atomic_load_n(&ctx->status, __ATOMIC_RELAXED) != ONNXC_OK)
    jumpOut(ctx);
}

void onnxc_call_kernel(onnxc_ctx *ctx, onnxc_kernel_fn kernel, const onnxc_attrs *attrs, int32_t numIn,
                       const onnxc_tensor *in, int32_t numOut, onnxc_tensor *out) {
  int code = kernel(ctx, attrs, numIn, in, numOut, out);
  if (code != 0)
    failWith(ctx, ONNXC_RUNTIME_ERROR, "a kernel ended with code %d", code);
}

} // extern "C"

namespace {

void destroy(onnxc_instance *instance) {
  auto *ctx = reinterpret_cast<onnxc_ctx *>(instance);
  if (!ctx)
    return;
  if (closeCustomOps)
    closeCustomOps(ctx);
  poolDestroy(ctx);
  unmapMemory(ctx->arenaBase, ctx->arenaMapped);
  free(ctx->inputs);
  free(ctx->outputs);
  free(ctx);
}

onnxc_status create(const onnxc_host *host, onnxc_instance **out) {
  if (!out)
    return ONNXC_INVALID_ARGUMENT;
  *out = nullptr;
  createError[0] = 0;
  const onnxc_model_desc &desc = onnxc_generated_desc;
  const onnxc_variant *variant = chosenVariant();
  if (!variant)
    return ONNXC_UNSUPPORTED;
  auto *ctx = static_cast<onnxc_ctx *>(calloc(1, sizeof(onnxc_ctx)));
  if (!ctx)
    return ONNXC_OUT_OF_MEMORY;
  ctx->host = host;
  ctx->variant = variant;
  ctx->numSymbols = countSymbols();
  ctx->inputs = static_cast<Input *>(calloc(static_cast<size_t>(desc.num_inputs) + 1, sizeof(Input)));
  ctx->outputs = static_cast<Output *>(calloc(static_cast<size_t>(desc.num_outputs) + 1, sizeof(Output)));
  // Mapped memory is aligned to pages, which is all that generated code asks for.
  ctx->arenaMapped = variant->arena_bytes;
  if (variant->arena_bytes > 0)
    ctx->arena = mapMemory(&ctx->arenaMapped, &ctx->arenaBase);
  if (!ctx->inputs || !ctx->outputs || (variant->arena_bytes > 0 && !ctx->arena)) {
    destroy(reinterpret_cast<onnxc_instance *>(ctx));
    return ONNXC_OUT_OF_MEMORY;
  }
  if (openCustomOps) {
    onnxc_status status = openCustomOps(ctx, createError, sizeof(createError));
    if (status != ONNXC_OK) {
      destroy(reinterpret_cast<onnxc_instance *>(ctx));
      return status;
    }
  }
  *out = reinterpret_cast<onnxc_instance *>(ctx);
  return ONNXC_OK;
}

onnxc_status run(onnxc_instance *instance, const onnxc_value *inputs, onnxc_value *outputs,
                 const onnxc_run_options *options) {
  auto *ctx = reinterpret_cast<onnxc_ctx *>(instance);
  poolReset(ctx);
  ++ctx->run;
  ctx->inputValues = inputs;
  ctx->outputValues = outputs;
  ctx->options = options;
  // A caller that was built before profiles were has shorter options.
  bool hasProfile = options && options->struct_size >= sizeof(onnxc_run_options);
  ctx->profile = hasProfile ? options->profile : nullptr;
  ctx->status = ONNXC_OK;
  ctx->error[0] = 0;
  startOutputs(ctx);
  runGuarded(ctx);
  return static_cast<onnxc_status>(ctx->status);
}

// What else a create fails of follows from the machine, so it needs no state.
const char *lastError(const onnxc_instance *instance) {
  if (!instance && createError[0])
    return createError;
  if (!instance)
    return chosenVariant() ? "out of memory: the model's working memory can't be allocated"
                           : missingFeatures();
  return reinterpret_cast<const onnxc_ctx *>(instance)->error;
}

// Filled on first use: the compiler's descriptor is in another object, so this can't be a
// constant. Every thread writes the same bytes.
onnxc_model model;

} // namespace

extern "C" __attribute__((visibility("default"))) const onnxc_model *onnxc_model_entry(uint32_t abi) {
  if (abi != ONNXC_ABI_VERSION)
    return nullptr;
  const onnxc_model_desc &desc = onnxc_generated_desc;
  model.abi_version = ONNXC_ABI_VERSION;
  model.struct_size = sizeof(onnxc_model);
  model.metadata = desc.metadata;
  model.metadata_size = static_cast<size_t>(desc.metadata_size);
  model.num_inputs = desc.num_inputs;
  model.num_outputs = desc.num_outputs;
  model.create = create;
  model.destroy = destroy;
  model.run = run;
  model.last_error = lastError;
  if (const onnxc_variant *variant = chosenVariant()) {
    model.regions = variant->regions;
    model.num_regions = static_cast<int32_t>(variant->num_regions);
  }
  return &model;
}
