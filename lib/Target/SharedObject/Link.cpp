// Links a model with lld, in process. lld keeps global state: one link at a time.
#include "Linker.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"
#include "onnxc/Target/SharedObject/OutputFile.h"
#include "onnxc/Target/SharedObject/SharedObject.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <dlfcn.h>
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;

namespace onnxc {
namespace {

/// The folder of the archives that every model is linked with: beside this library.
std::string archiveFolder(const llvm::Triple &target) {
  Dl_info info;
  llvm::SmallString<256> path;
  if (dladdr(reinterpret_cast<void *>(&archiveFolder), &info) && info.dli_fname) {
    llvm::sys::fs::real_path(info.dli_fname, path);
    llvm::sys::path::remove_filename(path);
  }
  llvm::sys::path::append(path, "onnxc");
  llvm::Triple host(llvm::sys::getDefaultTargetTriple());
  if (host.getArch() != target.getArch())
    llvm::sys::path::append(path, target.getArchName());
  return path.str().str();
}

/// Those of the named shared objects of the target's system that are there, so that the model names what it needs
/// of them.
SmallVector<std::string> findLibraries(const llvm::Triple &target, ArrayRef<const char *> names) {
  std::string arch = target.getArchName().str();
  SmallVector<std::string> found;
  for (const char *name : names)
    for (const std::string &folder :
         {"/lib/" + arch + "-linux-gnu", "/usr/lib/" + arch + "-linux-gnu",
          "/usr/" + arch + "-linux-gnu/lib", std::string("/lib64"), std::string("/usr/lib64")}) {
      std::string path = folder + "/" + name;
      if (llvm::sys::fs::exists(path)) {
        found.push_back(path);
        break;
      }
    }
  return found;
}

} // namespace

std::vector<std::string> systemLibraries(const TargetSpec &target, bool foreignCode) {
  SmallVector<const char *> names;
  if (foreignCode)
    names = {"libstdc++.so.6", "libgcc_s.so.1"};
  names.append({"libm.so.6", "libc.so.6"});
  llvm::Triple triple(target.triple);
  // The loader has what thread-local variables and the check of stacks need.
  names.push_back(triple.getArch() == llvm::Triple::aarch64 ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2");
  std::vector<std::string> args = {"--as-needed"};
  llvm::append_range(args, findLibraries(triple, names));
  return args;
}

namespace {
/// Built only where the image libraries are: the kernel ImageDecoder with its decoders.
constexpr const char *kImageArchive = "libonnxc_images.a";

LogicalResult writeFile(Location loc, StringRef path, StringRef data) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::OF_None);
  if (!error) {
    os << data;
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (error)
    return emitError(loc) << "cannot write " << path << ": " << error.message();
  return success();
}

} // namespace

std::string modelArchive(const TargetSpec &target) {
  return archiveFolder(llvm::Triple(target.triple)) + "/libonnxc_model.a";
}

std::string runLinker(ArrayRef<std::string> args) {
  std::vector<const char *> argv = {"ld.lld", "--threads=1"};
  for (const std::string &arg : args)
    argv.push_back(arg.c_str());
  std::string out, err;
  llvm::raw_string_ostream outStream(out), errStream(err);
  static std::mutex mutex; // lld has one state
  std::lock_guard<std::mutex> lock(mutex);
  lld::Result result = lld::lldMain(argv, outStream, errStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0)
    return "";
  StringRef why = StringRef(err).trim();
  return why.empty() ? "the linker failed" : why.str();
}

LogicalResult checkKernelArchives(ModuleOp module, const TargetSpec &target) {
  llvm::Triple triple(target.triple);
  std::string images = archiveFolder(triple) + "/" + kImageArchive;
  if (llvm::sys::fs::exists(images))
    return success();
  LogicalResult result = success();
  module.walk([&](rt::KernelOp op) {
    if (op.getName() == "ImageDecoder")
      result = emitError(op.getLoc())
               << "decoding images is not built into this onnxc for " << triple.getArchName()
               << ": " << images << " is missing. Install the image libraries of that architecture (on Debian "
               << "libjpeg62-turbo-dev, libpng-dev, libwebp-dev, libtiff-dev and libopenjp2-7-dev), "
               << "configure again and build";
  });
  return result;
}

LogicalResult linkModel(Location loc, ArrayRef<std::string> objects, ModuleOp module,
                        const TargetSpec &target, StringRef output, LinkKind kind, bool foreignCode) {
  llvm::Triple triple(target.triple);
  // Beside the output: the last step is a rename on one file system.
  llvm::SmallString<256> folder;
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory(temporaryPrefix(output), folder))
    return emitError(loc) << "cannot write " << output << ": " << error.message();
  auto cleanup = llvm::scope_exit([&] { llvm::sys::fs::remove_directories(folder); });
  auto inside = [&](const llvm::Twine &name) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, name);
    return path.str().str();
  };

  bool shared = kind == LinkKind::SharedObject;
  std::vector<std::string> args;
  if (shared)
    llvm::append_range(args, std::initializer_list<const char *>{
                                 "-shared", "--gc-sections", "--eh-frame-hdr", "-z", "noexecstack",
                                 "-z", "now", "--hash-style=gnu", "-u", "onnxc_model_entry"});
  else
    args.push_back("-r");
  for (auto [i, object] : llvm::enumerate(objects)) {
    std::string path = inside("part" + std::to_string(i) + ".o");
    if (failed(writeFile(loc, path, object)))
      return failure();
    args.push_back(path);
  }
  std::string weightsPath = inside("weights.o");
  if (failed(writeWeights(module, target, weightsPath)))
    return failure();
  args.push_back(weightsPath);
  if (shared) {
    // Only what programs look up is visible.
    std::string version = inside("exports");
    if (failed(writeFile(loc, version, "{ global: onnxc_model_entry; local: *; };\n")))
      return failure();
    args.push_back("--version-script=" + version);
    std::string archives = archiveFolder(triple);
    for (const char *name : {"libonnxc_model.a", "libonnxc_kernels.a", kImageArchive}) {
      std::string path = archives + "/" + name;
      bool isThere = llvm::sys::fs::exists(path);
      if (!isThere && name == kImageArchive)
        continue; // not used, says checkKernelArchives
      if (!isThere)
        return emitError(loc) << "the model runtime for " << target.triple
                              << " is not installed: " << path << " is missing";
      args.push_back(path);
    }
    // What an archive of custom operators needs and nobody has is told now, not when the model is loaded.
    if (foreignCode)
      llvm::append_range(args, std::initializer_list<const char *>{"-z", "defs", "-u", "onnxc_finalize"});
    llvm::append_range(args, systemLibraries(target, foreignCode));
  }
  std::string linked = inside("model.so");
  args.push_back("-o");
  args.push_back(linked);

  if (std::string why = runLinker(args); !why.empty())
    return emitError(loc) << "linking " << output << " failed: " << why;
  if (std::error_code error = moveToOutput(linked, output))
    return emitError(loc) << "cannot write " << output << ": " << error.message();
  return success();
}

} // namespace onnxc
