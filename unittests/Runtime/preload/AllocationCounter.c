/* Preloaded (LD_PRELOAD) into a process that runs models: counts the allocations that compiled models ask
 * for, which are those from code of a shared object with ONNXC_COUNTED in its path. For test/models/run.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_long count;
static atomic_int on;
static _Thread_local int busy;

/* For ctypes: starts counting from 0; ends it and gives the number. dladdr is slow, so a compiler must not
 * run in between. */
void onnxc_count_allocations(void) {
  count = 0;
  on = 1;
}
long onnxc_counted_allocations(void) {
  on = 0;
  return count;
}

static void note(const void *caller) {
  static const char *counted;
  if (!on || busy)
    return;
  busy = 1;
  if (!counted) {
    const char *text = getenv("ONNXC_COUNTED");
    counted = text ? text : "/model.so";
  }
  Dl_info info;
  if (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, counted))
    ++count;
  busy = 0;
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  note(__builtin_return_address(0));
  return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
  note(__builtin_return_address(0));
  return __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) {
  note(__builtin_return_address(0));
  return __libc_realloc(old, size);
}
void *memalign(size_t align, size_t size) {
  note(__builtin_return_address(0));
  return __libc_memalign(align, size);
}
void *aligned_alloc(size_t align, size_t size) {
  note(__builtin_return_address(0));
  return __libc_memalign(align, size);
}
int posix_memalign(void **out, size_t align, size_t size) {
  note(__builtin_return_address(0));
  *out = __libc_memalign(align, size);
  return *out ? 0 : 12; /* ENOMEM */
}
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  static void *(*next)(void *, size_t, int, int, int, off_t);
  note(__builtin_return_address(0));
  if (!next) {
    busy = 1;
    *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    busy = 0;
  }
  return next(at, size, protection, flags, fd, offset);
}
