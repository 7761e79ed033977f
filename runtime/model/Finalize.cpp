// What a compiler's start files do for a shared object of C++ code: when it is unloaded, the destructors of its
// statics run. Part of what holds archives of custom operators (ld: -u onnxc_finalize).
extern "C" {

extern void *__dso_handle __attribute__((visibility("hidden")));
void __cxa_finalize(void *);

__attribute__((destructor)) void onnxc_finalize() { __cxa_finalize(&__dso_handle); }

} // extern "C"
