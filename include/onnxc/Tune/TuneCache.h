// What tuning found, in a file: for each kernel on a machine, the strategies of its operations.
#ifndef ONNXC_TUNE_TUNECACHE_H
#define ONNXC_TUNE_TUNECACHE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>
#include <vector>

namespace onnxc {

/// $XDG_CACHE_HOME/onnxc/tune.json, or that below the user's cache folder; empty if there is none.
std::string defaultTuneCache();

class TuneCache {
public:
  struct Entry {
    std::string what; ///< for people: what the kernel is, and on which machine
    /// #cg.lowering_config of each operation of the kernel, in its order; "": what the compiler
    /// chooses.
    std::vector<std::string> strategies;
    double before = 0, after = 0; ///< nanoseconds on one thread
  };

  /// Reads what the file holds. A file that is not there is an empty one; one that cannot be
  /// understood is an error, and the cache stays empty.
  llvm::Error load(llvm::StringRef path);
  /// Writes another file and renames it, so that a reader sees the old or the new one. What others
  /// have written since is kept.
  llvm::Error save(llvm::StringRef path) const;

  const Entry *find(llvm::StringRef key) const;
  void insert(llvm::StringRef key, Entry entry);
  bool isChanged() const { return changed; }

private:
  std::map<std::string, Entry, std::less<>> entries;
  bool changed = false;
};

} // namespace onnxc

#endif
