// The state behind onnxc_ctx: one instance and its current run. Shared by the
// files of runtime/model; generated code and kernels see only the functions.
#ifndef ONNXC_MODEL_CONTEXT_H
#define ONNXC_MODEL_CONTEXT_H

#include <setjmp.h>

#include "generated.h"

namespace onnxc_rt {

constexpr int64_t kAlign = 64;
constexpr int kNumClasses = 256;

struct CustomOps;
struct Region;

// Precedes each block of the pool; 64 bytes, so that data stays aligned.
struct alignas(kAlign) Block {
  Block *nextFree;
  union {
    Block *nextAll;   // of a small block
    Block *before;    // of a large one: its neighbour in the region; null for the first
  };
  Region *region;     // of a large block; null for a small one
  int64_t bytes;      // of a large block, this header included
  uint64_t lastRun;   // of a small block: when it was last handed out
  int32_t sizeClass;  // of a small block
  bool kept;          // until the instance ends
  bool isFree;        // of a large block
};

// Memory from the system for large blocks. Precedes its first block.
struct alignas(kAlign) Region {
  Region *next;
  void *mapping;
  int64_t mappingBytes;
  int64_t bytes;    // of its blocks
  uint64_t lastRun; // when a block was last handed out
};

struct Kept {
  const void *key;
  void *data;
  Kept *next;
};

// Memory of one instance. Blocks stay in the pool between runs, so that a steady state does not ask the
// system; what several runs did not use goes back to it. Small blocks are from malloc, by
// size class; large ones are cut from regions.
struct Pool {
  Block *all; // small ones
  Block *freeBySize[kNumClasses];
  Region *regions;
  Block *freeLarge;
  char *bump; // the current chunk for strings and objects
  int64_t bumpLeft;
  char lock; // alloc and free may be called from parallel bodies
};

struct Input {
  void *data;
  const int64_t *dims;
};

struct Output {
  bool set;   // in this run
  void *lent; // pool memory that the caller was given
};

} // namespace onnxc_rt

struct onnxc_ctx {
  const onnxc_host *host;
  const onnxc_variant *variant;
  void *arenaBase;
  int64_t arenaMapped;
  void *arena;
  onnxc_rt::Pool pool;
  onnxc_rt::Kept *kept;
  onnxc_rt::CustomOps *custom; // null: the model has none
  uint64_t run; // counts runs
  onnxc_rt::Input *inputs;
  onnxc_rt::Output *outputs;
  int32_t numSymbols;
  const onnxc_value *inputValues;
  onnxc_value *outputValues;
  const onnxc_run_options *options;
  void (*profile)(void *user, int32_t region); // of options; null: none is wanted
  int32_t status; // of the run; the first failure stays
  char failLock;
  jmp_buf runStart;
  char error[1024];
};

namespace onnxc_rt {

inline void lock(char *flag) {
  while (__atomic_test_and_set(flag, __ATOMIC_ACQUIRE))
    ;
}
inline void unlock(char *flag) { __atomic_clear(flag, __ATOMIC_RELEASE); }

__attribute__((noreturn, format(printf, 3, 4))) void failWith(onnxc_ctx *ctx, onnxc_status status,
                                                              const char *format, ...);

// Run.cpp: calls body, which may fail (onnxc_fail) without any other effect than that the run has failed: then the
// result is false, and the caller is to clean up and to fail again.
bool attempt(void (*body)(void *), void *arg);

// CustomOps.cpp, which is part of models with custom operators only.
__attribute__((weak)) onnxc_status openCustomOps(onnxc_ctx *ctx, char *message, size_t size);
__attribute__((weak)) void closeCustomOps(onnxc_ctx *ctx);

// Variants.cpp: the code for this CPU; null if there is none.
const onnxc_variant *chosenVariant();
// Why there is none.
const char *missingFeatures();

// Pool.cpp
void *poolAllocSmall(onnxc_ctx *ctx, int64_t bytes);
void poolReset(onnxc_ctx *ctx);
void poolDestroy(onnxc_ctx *ctx);

// Memory.cpp: memory from the system with as few page faults as it offers. `bytes` becomes what was
// mapped, `base` what is to be given back; null if there is none.
void *mapMemory(int64_t *bytes, void **base);
void unmapMemory(void *base, int64_t bytes);

// Inputs.cpp: checks all inputs and fills ctx->inputs.
int32_t countSymbols();
void takeInputs(onnxc_ctx *ctx);

// Outputs.cpp
void startOutputs(onnxc_ctx *ctx);
void finishOutputs(onnxc_ctx *ctx);

// Types.cpp
const char *elemTypeName(int32_t elemType);
DLDataType dlDataType(int32_t elemType);
// The size in bytes of a tensor; fails on overflow or a negative size.
int64_t tensorBytes(onnxc_ctx *ctx, int32_t elemType, int32_t rank, const int64_t *dims);
inline bool isKnownElemType(int32_t elemType) {
  return elemType > ONNXC_UNDEFINED && elemType <= ONNXC_INT2;
}
// "2x3", for messages.
struct ShapeText {
  char text[160];
};
ShapeText shapeText(int32_t rank, const int64_t *dims);

} // namespace onnxc_rt

#endif
