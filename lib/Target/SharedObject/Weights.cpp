// The weights as an ELF object, written straight from the attributes' data: LLVM never sees
// them, and no second copy is made. The section is .lrodata with the large-section flag, so that
// more than 2 GB do not push code and data out of each other's reach.
#include "onnxc/Target/SharedObject/SharedObject.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

namespace onnxc {
namespace {

using namespace llvm::ELF;
constexpr uint64_t kAlignment = 64;

/// The bytes of a constant as they lie in memory.
LogicalResult writeElements(llvm::raw_ostream &os, ElementsAttr elements, int64_t &written) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return failure();
    ArrayRef<char> data = blob->getData();
    os.write(data.data(), data.size());
    written += data.size();
    return success();
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense)
    return failure();
  ArrayRef<char> data = dense.getRawData();
  Type element = dense.getElementType();
  bool isBool = element.isInteger(1);
  int64_t count = dense.getNumElements();
  if (isBool)
    return failure(); // bool is i8 by now
  if (dense.isSplat()) {
    for (int64_t i = 0; i < count; ++i)
      os.write(data.data(), data.size());
    written += count * data.size();
    return success();
  }
  os.write(data.data(), data.size());
  written += data.size();
  return success();
}

} // namespace

LogicalResult writeWeights(ModuleOp module, const TargetSpec &target, StringRef path) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::OF_None);
  if (error)
    return module.emitError("cannot write ") << path << ": " << error.message();
  auto weights = module->getAttrOfType<ArrayAttr>("onnxc.weights");
  uint64_t size = 0;
  if (auto bytes = module->getAttrOfType<IntegerAttr>("onnxc.weights_bytes"))
    size = bytes.getInt();
  size = std::max<uint64_t>(size, 1);

  // Header, section data, symbols, names, section headers.
  const char strings[] = "\0.lrodata\0.symtab\0.strtab\0onnxc_weights\0.note.GNU-stack";
  const uint64_t stringsSize = sizeof(strings);
  const uint64_t dataAt = llvm::alignTo(sizeof(Elf64_Ehdr), kAlignment);
  const uint64_t symbolsAt = llvm::alignTo(dataAt + size, 8);
  const uint64_t stringsAt = symbolsAt + 2 * sizeof(Elf64_Sym);
  const uint64_t headersAt = llvm::alignTo(stringsAt + stringsSize, 8);
  bool x86 = llvm::Triple(target.triple).isX86();

  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = x86 ? EM_X86_64 : EM_AARCH64;
  header.e_version = EV_CURRENT;
  header.e_shoff = headersAt;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 5;
  header.e_shstrndx = 3;
  os.write(reinterpret_cast<const char *>(&header), sizeof(header));
  os.write_zeros(dataAt - sizeof(header));

  int64_t written = 0;
  if (weights)
    for (Attribute entry : weights) {
      auto pair = cast<ArrayAttr>(entry);
      int64_t offset = cast<IntegerAttr>(pair[0]).getInt();
      auto elements = cast<ElementsAttr>(pair[1]);
      os.write_zeros(offset - written);
      written = offset;
      if (failed(writeElements(os, elements, written)))
        return module.emitError("a constant of type ") << elements.getShapedType()
                                                       << " has no data that can be stored";
    }
  if (static_cast<uint64_t>(written) > size)
    return module.emitError("constants hold more data than their types say");
  os.write_zeros(symbolsAt - dataAt - written);

  Elf64_Sym symbols[2] = {};
  symbols[1].st_name = 26;
  symbols[1].setBindingAndType(STB_GLOBAL, STT_OBJECT);
  symbols[1].st_other = STV_HIDDEN;
  symbols[1].st_shndx = 1;
  symbols[1].st_size = size;
  os.write(reinterpret_cast<const char *>(symbols), sizeof(symbols));
  os.write(strings, stringsSize);
  os.write_zeros(headersAt - stringsAt - stringsSize);

  Elf64_Shdr headers[5] = {};
  headers[1].sh_name = 1;
  headers[1].sh_type = SHT_PROGBITS;
  headers[1].sh_flags = SHF_ALLOC | (x86 ? SHF_X86_64_LARGE : 0);
  headers[1].sh_offset = dataAt;
  headers[1].sh_size = size;
  headers[1].sh_addralign = kAlignment;
  headers[2].sh_name = 10;
  headers[2].sh_type = SHT_SYMTAB;
  headers[2].sh_offset = symbolsAt;
  headers[2].sh_size = sizeof(symbols);
  headers[2].sh_link = 3;
  headers[2].sh_info = 1;
  headers[2].sh_addralign = 8;
  headers[2].sh_entsize = sizeof(Elf64_Sym);
  headers[3].sh_name = 18;
  headers[3].sh_type = SHT_STRTAB;
  headers[3].sh_offset = stringsAt;
  headers[3].sh_size = stringsSize;
  headers[3].sh_addralign = 1;
  headers[4].sh_name = 40;
  headers[4].sh_type = SHT_PROGBITS;
  headers[4].sh_offset = stringsAt;
  headers[4].sh_addralign = 1;
  os.write(reinterpret_cast<const char *>(headers), sizeof(headers));
  os.close();
  if (os.has_error()) {
    auto message = os.error().message();
    os.clear_error();
    return module.emitError("cannot write ") << path << ": " << message;
  }
  return success();
}

} // namespace onnxc
