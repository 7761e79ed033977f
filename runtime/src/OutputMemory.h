// Memory for a session's outputs, used again when the program has let go of it: fresh memory of
// some megabytes costs more to be mapped, page by page, than many models take to run.
#ifndef ONNXC_RUNTIME_SRC_OUTPUTMEMORY_H
#define ONNXC_RUNTIME_SRC_OUTPUTMEMORY_H

#include <memory>
#include <mutex>
#include <vector>

namespace onnxc {

/// Blocks may outlive this and be let go by any thread.
class OutputMemory {
public:
  OutputMemory();
  ~OutputMemory();
  OutputMemory(const OutputMemory &) = delete;
  OutputMemory &operator=(const OutputMemory &) = delete;

  /// At least `bytes`, aligned to 64 bytes, with anything in it. Throws Error(OutOfMemory).
  std::shared_ptr<void> allocate(size_t bytes);
  /// A run ends that asked for so many bytes: no more than the most of any run is kept unused.
  void noteRun(size_t bytes);

private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf;
};

} // namespace onnxc
#endif
