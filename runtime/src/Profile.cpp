#include "Profile.h"

#include <nlohmann/json.hpp>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

using namespace onnxc;
using Json = nlohmann::ordered_json;

namespace {

int64_t nowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t(1000000000) + t.tv_nsec;
}

/// "Conv:a\nRelu:b" as (["a", "b"], "Conv+Relu"); a node without a name is "".
std::pair<Json, std::string> splitNodes(std::string_view text) {
  Json names = Json::array();
  std::string types;
  while (!text.empty()) {
    std::string_view node = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), node.size() + 1));
    size_t colon = node.find(':');
    names.push_back(colon == node.npos ? "" : std::string(node.substr(colon + 1)));
    types += (types.empty() ? "" : "+") + std::string(node.substr(0, colon));
  }
  return {names, types};
}

} // namespace

Profile::Profile() : start(nowNs()) {}

Profile::Run::Run(Profile &profile, onnxc_run_options &options) : profile(profile), begin(nowNs()) {
  marks.reserve(1024);
  options.profile = beginRegion;
  options.profile_user = this;
}

void Profile::Run::beginRegion(void *run, int32_t region) noexcept {
  auto &self = *static_cast<Run *>(run);
  try {
    self.marks.push_back({region, nowNs()});
  } catch (...) { // out of memory: the profile lacks a region
  }
}

Profile::Run::~Run() {
  int64_t end = nowNs();
  auto thread = static_cast<int32_t>(syscall(SYS_gettid));
  std::lock_guard<std::mutex> lock(profile.mutex);
  try {
    profile.events.push_back({-1, thread, begin, end});
    for (size_t i = 0; i < marks.size(); ++i)
      if (marks[i].region >= 0)
        profile.events.push_back(
            {marks[i].region, thread, marks[i].ns, i + 1 < marks.size() ? marks[i + 1].ns : end});
  } catch (...) {
  }
}

std::string Profile::take(const onnxc_model &model) {
  std::vector<Event> taken;
  {
    std::lock_guard<std::mutex> lock(mutex);
    taken.swap(events);
  }
  Json list = Json::array();
  for (const Event &event : taken) {
    Json item = {{"cat", event.region < 0 ? "Session" : "Node"},
                 {"pid", getpid()},
                 {"tid", event.thread},
                 {"ts", (event.begin - start) / 1000.0},
                 {"dur", (event.end - event.begin) / 1000.0},
                 {"ph", "X"}};
    if (event.region < 0) {
      item["name"] = "model_run";
      item["args"] = Json::object();
    } else {
      auto [names, types] = splitNodes(model.regions[event.region].nodes);
      std::string all;
      for (const auto &name : names)
        all += (all.empty() ? "" : " ") + name.get<std::string>();
      item["name"] = all.empty() ? types : all;
      item["args"] = {{"op_name", types},
                      {"nodes", names},
                      {"region", event.region},
                      {"parallel", model.regions[event.region].parallel != 0}};
    }
    list.push_back(std::move(item));
  }
  // One event a line. Names in a model may be any bytes.
  std::string text = "[";
  for (const Json &item : list)
    text += (text.size() > 1 ? ",\n " : "\n ") +
            item.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text + "\n]\n";
}
