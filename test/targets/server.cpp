// Runs models for a test on the other side of a pipe, so that the test itself can be Python on this
// machine while the model runs in an emulator of another CPU. Reads requests from stdin and answers on
// stdout until stdin ends (remote.py is the other side). All numbers are little-endian:
//
//   'L' path             loads a model; answers with its metadata, as JSON
//   'R' inputs           runs it, with inputs in the model's order; answers with the outputs
//
// Each answer starts with a text that is empty, or says what went wrong and is the whole answer.
//   text:    int64 bytes, the bytes       values: int64 count, each value
//   value:   int32 kind (as ValueKind); of a tensor int32 element type, int32 rank, int64 sizes, and the
//            elements' memory or texts; of a sequence or map its values
#include "onnxc/runtime/session.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

using namespace onnxc;

namespace {

/// A pipe that ends in the middle of a request is the other side's death.
void read(void *to, size_t size) {
  if (size && std::fread(to, size, 1, stdin) != 1)
    std::exit(2);
}

void write(const void *from, size_t size) {
  if (size && std::fwrite(from, size, 1, stdout) != 1)
    std::exit(2);
}

template <typename T> T readNumber() {
  T number;
  read(&number, sizeof number);
  return number;
}

template <typename T> void writeNumber(T number) { write(&number, sizeof number); }

std::string readText() {
  std::string text(readNumber<int64_t>(), '\0');
  read(text.data(), text.size());
  return text;
}

void writeText(std::string_view text) {
  writeNumber<int64_t>(text.size());
  write(text.data(), text.size());
}

std::vector<Value> readValues();

Value readTensor() {
  auto type = static_cast<ElementType>(readNumber<int32_t>());
  std::vector<int64_t> shape(readNumber<int32_t>());
  for (int64_t &size : shape)
    size = readNumber<int64_t>();
  Value value = Value::tensor(type, shape);
  if (type != ElementType::String) {
    read(value.data(), value.sizeInBytes());
    return value;
  }
  std::vector<std::string> texts(value.numElements());
  for (std::string &text : texts)
    text = readText();
  return Value::strings(shape, {texts.begin(), texts.end()});
}

Value readValue() {
  switch (static_cast<ValueKind>(readNumber<int32_t>())) {
  case ValueKind::Tensor:
    return readTensor();
  case ValueKind::Sequence:
    return Value::sequence(readValues());
  case ValueKind::Map: {
    std::vector<Value> items = readValues();
    return Value::map(items.at(0), items.at(1));
  }
  default:
    return {};
  }
}

std::vector<Value> readValues() {
  std::vector<Value> values(readNumber<int64_t>());
  for (Value &value : values)
    value = readValue();
  return values;
}

void writeValues(const std::vector<Value> &values) {
  writeNumber<int64_t>(values.size());
  for (const Value &value : values) {
    writeNumber(static_cast<int32_t>(value.kind()));
    if (value.isNone())
      continue;
    if (!value.isTensor()) {
      writeValues(value.items());
      continue;
    }
    writeNumber(static_cast<int32_t>(value.elementType()));
    writeNumber(static_cast<int32_t>(value.shape().size()));
    for (int64_t size : value.shape())
      writeNumber(size);
    if (value.elementType() != ElementType::String) {
      write(value.data(), value.sizeInBytes());
      continue;
    }
    for (int64_t i = 0; i < value.numElements(); ++i)
      writeText(value.stringAt(i));
  }
}

} // namespace

int main(int argc, char **argv) {
  SessionOptions options;
  options.threads = argc > 1 ? std::atoi(argv[1]) : 1;
  std::optional<Session> session;
  for (int request; (request = std::fgetc(stdin)) != EOF; std::fflush(stdout)) {
    try {
      if (request == 'L') {
        std::string path = readText();
        session.reset();
        session.emplace(path, options);
        writeText("");
        writeText(session->metadataJson());
      } else {
        std::vector<Value> inputs = readValues(), outputs;
        if (!session)
          throw std::runtime_error("no model is loaded");
        outputs.resize(session->outputs().size());
        session->run(inputs, outputs);
        writeText("");
        writeValues(outputs);
      }
    } catch (const std::exception &error) {
      writeText(error.what());
    }
  }
  return 0;
}
