// Loading libraries of custom operators, and taking archives of them into a model.
#include "onnxc/Target/SharedObject/CustomLibraries.h"

#include "Linker.h"

#include "onnxc/Conversion/OnnxToLinalg/CustomOperators.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <dlfcn.h>

using namespace mlir;

namespace onnxc {
namespace {

constexpr StringLiteral kEntry = ONNXC_CUSTOM_OPS_ENTRY;

TargetSpec thisMachine() {
  TargetSpec target;
  target.triple = llvm::sys::getDefaultTargetTriple();
  return target;
}

/// A file in the folder for temporary files; empty if it cannot be made.
std::string temporaryFile(StringRef suffix) {
  llvm::SmallString<128> path;
  return llvm::sys::fs::createTemporaryFile("onnxc-custom", suffix, path) ? std::string() : path.str().str();
}

InFlightDiagnostic refuse(Location loc, StringRef path, const llvm::Twine &why) {
  return emitError(loc) << "custom operators: " << path << ": " << why;
}

/// The architecture of an archive's first object, or of a single object; unknown if there is none.
llvm::Triple::ArchType architectureOf(StringRef path) {
  auto archOf = [](llvm::Expected<std::unique_ptr<llvm::object::Binary>> binary) {
    if (binary)
      if (auto *object = dyn_cast<llvm::object::ObjectFile>(binary->get()))
        return object->getArch();
    llvm::consumeError(binary.takeError());
    return llvm::Triple::UnknownArch;
  };
  auto file = llvm::object::createBinary(path);
  if (!file) {
    llvm::consumeError(file.takeError());
    return llvm::Triple::UnknownArch;
  }
  if (auto *object = dyn_cast<llvm::object::ObjectFile>(file->getBinary()))
    return object->getArch();
  auto *archive = dyn_cast<llvm::object::Archive>(file->getBinary());
  if (!archive)
    return llvm::Triple::UnknownArch;
  llvm::Triple::ArchType arch = llvm::Triple::UnknownArch;
  llvm::Error error = llvm::Error::success();
  for (const llvm::object::Archive::Child &child : archive->children(error))
    if (arch == llvm::Triple::UnknownArch)
      arch = archOf(child.getAsBinary());
  llvm::consumeError(std::move(error));
  return arch;
}

/// The archive as one relocatable object in which all is local but the entry, under another name: libraries cannot
/// disturb each other or the model's own code.
llvm::Expected<std::string> objectOf(StringRef archive, StringRef entry) {
  auto failed = [](const llvm::Twine &why) { return llvm::createStringError(why); };
  std::string merged = temporaryFile("o");
  if (merged.empty())
    return failed("a temporary file cannot be made");
  auto cleanup = llvm::scope_exit([&] { llvm::sys::fs::remove(merged); });
  std::string why = runLinker({"-r", "--force-group-allocation", "--whole-archive", archive.str(), "-o", merged});
  if (!why.empty())
    return failed(why);
  auto object = llvm::object::ObjectFile::createObjectFile(merged);
  if (!object)
    return object.takeError();
  llvm::objcopy::ConfigManager config;
  config.Common.InputFilename = merged;
  if (llvm::Error error = config.Common.SymbolsToKeepGlobal.addMatcher(llvm::objcopy::NameOrPattern::create(
          kEntry, llvm::objcopy::MatchStyle::Literal, [](llvm::Error error) { return error; })))
    return std::move(error);
  config.Common.SymbolsToRename[kEntry] = entry;
  std::string result;
  llvm::raw_string_ostream os(result);
  if (llvm::Error error = llvm::objcopy::executeObjcopyOnBinary(config, *object->getBinary(), os))
    return std::move(error);
  return result;
}

} // namespace

CustomLibraries::~CustomLibraries() {
  for (const Library &library : libraries)
    dlclose(library.handle);
}

LogicalResult CustomLibraries::addElsewhere(Location loc, StringRef path, llvm::Triple::ArchType arch) {
  StringRef name = llvm::Triple::getArchTypeName(arch);
  if (libraries.empty())
    return refuse(loc, path, "an archive for " + name + " belongs after the library for this machine that declares its operators");
  auto &others = libraries.back().elsewhere;
  for (const auto &[known, other] : others)
    if (known == arch)
      return refuse(loc, path, "there is an archive for " + name + " already: " + other);
  others.push_back({arch, path.str()});
  return success();
}

LogicalResult CustomLibraries::load(Location loc, StringRef path) {
  auto refuse = [&](const llvm::Twine &why) { return onnxc::refuse(loc, path, why); };
  llvm::file_magic magic;
  if (std::error_code error = llvm::identify_magic(path, magic))
    return refuse(error.message());
  bool isArchive = magic == llvm::file_magic::archive || magic == llvm::file_magic::elf_relocatable;
  if (!isArchive && magic != llvm::file_magic::elf_shared_object)
    return refuse("neither a shared library nor a static archive");

  if (isArchive) {
    llvm::Triple::ArchType arch = architectureOf(path);
    if (arch != llvm::Triple::UnknownArch && arch != llvm::Triple(thisMachine().triple).getArch())
      return addElsewhere(loc, path, arch);
  }

  // Without a slash dlopen would search the library path.
  std::string file = path.contains('/') ? path.str() : "./" + path.str();
  std::string temporary;
  auto cleanup = llvm::scope_exit([&] {
    if (!temporary.empty())
      llvm::sys::fs::remove(temporary);
  });
  if (isArchive) {
    temporary = temporaryFile("so");
    if (temporary.empty())
      return refuse("a temporary file cannot be made");
    std::vector<std::string> args = {"-shared", "-z", "defs", "-u", "onnxc_finalize", "--whole-archive", file, "--no-whole-archive",
                                     modelArchive(thisMachine())};
    llvm::append_range(args, systemLibraries(thisMachine(), /*foreignCode=*/true));
    args.insert(args.end(), {"-o", temporary});
    if (std::string why = runLinker(args); !why.empty())
      return refuse("the archive cannot be linked: " + why);
    file = temporary;
  }
  void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    return refuse(why ? why : "it cannot be loaded");
  }
  libraries.push_back({path.str(), handle, isArchive, {}});
  auto entry = reinterpret_cast<onnxc_custom_ops_fn>(dlsym(handle, ONNXC_CUSTOM_OPS_ENTRY));
  if (!entry)
    return refuse("it declares no custom operators: it does not define " + kEntry);
  const onnxc_op_library *table = entry(ONNXC_CUSTOM_OP_ABI);
  if (!table)
    return refuse("it cannot serve version " + llvm::Twine(ONNXC_CUSTOM_OP_ABI) +
                  " of the interface of custom operators");
  if (std::string why = declared->addLibrary(path.str(), *table); !why.empty())
    return refuse(why);
  return success();
}

LogicalResult CustomLibraries::collect(ModuleOp module, const TargetSpec &target, CustomTable &table,
                                       SmallVectorImpl<std::string> &objects) const {
  auto list = module->getAttrOfType<ArrayAttr>(kCustomOperatorsAttr);
  if (!list)
    return success();
  llvm::MapVector<unsigned, int64_t> used; // place in `libraries` to place in the table
  for (auto entry : list.getAsRange<DictionaryAttr>()) {
    CustomTable::Operator op;
    op.domain = entry.getAs<StringAttr>("domain").str();
    op.name = entry.getAs<StringAttr>("name").str();
    op.sinceVersion = entry.getAs<IntegerAttr>("since_version").getInt();
    const CustomOperators::Operator *found = declared->find(op.domain, op.name, op.sinceVersion);
    if (!found)
      return emitError(module.getLoc()) << "operator " << op.name << " of domain " << op.domain
                                        << " is declared by none of the libraries that are given (--custom-ops)";
    op.library = used.try_emplace(found->library, used.size()).first->second;
    table.operators.push_back(op);
  }
  llvm::Triple host(llvm::sys::getDefaultTargetTriple()), triple(target.triple);
  for (auto [index, place] : used) {
    const Library &library = libraries[index];
    std::string name = llvm::sys::path::filename(library.path).str(), entry;
    bool isHere = host.getArch() == triple.getArch();
    StringRef archive = library.isArchive && isHere ? library.path : StringRef();
    for (const auto &[arch, path] : library.elsewhere)
      if (arch == triple.getArch())
        archive = path;
    if (library.isArchive && archive.empty())
      return refuse(module.getLoc(), library.path,
                    "an archive for this machine cannot become part of a model for " + target.triple +
                        "; give an archive for that after it, or a shared library: the model loads the one of that name where it runs");
    if (!archive.empty()) {
      entry = (kEntry + "." + llvm::Twine(place)).str();
      llvm::Expected<std::string> object = objectOf(archive, entry);
      if (!object)
        return refuse(module.getLoc(), archive, llvm::toString(object.takeError()));
      objects.push_back(std::move(*object));
    }
    table.libraries.push_back({name, entry});
  }
  return success();
}

} // namespace onnxc
