// See TuneCache.h. The file is JSON: {"version": 1, "kernels": {key: {"what", "strategies",
// "ns"}}}.
#include "onnxc/Tune/TuneCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace onnxc {
namespace {

constexpr int64_t kVersion = 1;

Error damaged(const Twine &what) { return createStringError(what); }

} // namespace

std::string defaultTuneCache() {
  SmallString<128> path;
  if (std::optional<std::string> home = sys::Process::GetEnv("XDG_CACHE_HOME");
      home && !home->empty())
    path = *home;
  else if (!sys::path::cache_directory(path))
    return "";
  sys::path::append(path, "onnxc", "tune.json");
  return path.str().str();
}

Error TuneCache::load(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    if (buffer.getError() == std::errc::no_such_file_or_directory)
      return Error::success();
    return errorCodeToError(buffer.getError());
  }
  Expected<json::Value> value = json::parse((*buffer)->getBuffer());
  if (!value)
    return value.takeError();
  const json::Object *root = value->getAsObject();
  if (!root || root->getInteger("version") != kVersion)
    return damaged("is not of version " + Twine(kVersion));
  const json::Object *kernels = root->getObject("kernels");
  if (!kernels)
    return damaged("has no kernels");
  std::map<std::string, Entry, std::less<>> read;
  for (const auto &[key, value] : *kernels) {
    const json::Object *kernel = value.getAsObject();
    const json::Array *strategies = kernel ? kernel->getArray("strategies") : nullptr;
    const json::Array *times = kernel ? kernel->getArray("ns") : nullptr;
    if (!strategies || !times || times->size() != 2)
      return damaged("has a kernel without strategies or times");
    Entry entry;
    entry.what = kernel->getString("what").value_or("").str();
    for (const json::Value &strategy : *strategies) {
      std::optional<StringRef> text = strategy.getAsString();
      if (!text)
        return damaged("has a strategy that is no string");
      entry.strategies.push_back(text->str());
    }
    entry.before = (*times)[0].getAsNumber().value_or(0);
    entry.after = (*times)[1].getAsNumber().value_or(0);
    read[StringRef(key).str()] = std::move(entry);
  }
  entries = std::move(read);
  changed = false;
  return Error::success();
}

Error TuneCache::save(StringRef path) const {
  // Another compiler may have tuned meanwhile; a damaged file is written anew.
  TuneCache merged;
  consumeError(merged.load(path));
  for (const auto &[key, entry] : entries)
    merged.entries[key] = entry;
  if (StringRef folder = sys::path::parent_path(path); !folder.empty())
    if (std::error_code error = sys::fs::create_directories(folder))
      return errorCodeToError(error);
  return writeToOutput(path, [&](raw_ostream &os) {
    json::OStream json(os, /*IndentSize=*/1);
    json.object([&] {
      json.attribute("version", kVersion);
      json.attributeObject("kernels", [&] {
        for (const auto &[key, entry] : merged.entries)
          json.attributeObject(key, [&] {
            json.attribute("what", entry.what);
            json.attributeArray("strategies", [&] {
              for (const std::string &strategy : entry.strategies)
                json.value(strategy);
            });
            json.attributeArray("ns", [&] {
              json.value(static_cast<int64_t>(entry.before));
              json.value(static_cast<int64_t>(entry.after));
            });
          });
      });
    });
    os << "\n";
    return Error::success();
  });
}

const TuneCache::Entry *TuneCache::find(StringRef key) const {
  auto found = entries.find(key);
  return found == entries.end() ? nullptr : &found->second;
}

void TuneCache::insert(StringRef key, Entry entry) {
  entries[key.str()] = std::move(entry);
  changed = true;
}

} // namespace onnxc
