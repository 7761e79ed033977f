// Upgrade steps of neural-network operators, resizing and Scan. Each function's
// name is the operator and the version that it leads to.
#include "Upgrade.h"

#include <algorithm>
#include <cmath>

namespace onnxc::importer {

namespace {

// Versions before 14 train if more than the first output is asked for.
void batchNormalization14(NodeUpgrade &u) {
  bool isTest = u.intAttribute("is_test", 0) != 0;
  bool spatial = u.intAttribute("spatial", 1) != 0;
  takeAttribute(u.node, "is_test");
  takeAttribute(u.node, "spatial");
  bool training = false;
  for (int i = 1; i < u.node.output_size(); ++i)
    training |= hasOutput(u.node, i);
  if (!training || isTest) {
    u.node.mutable_output()->DeleteSubrange(1, u.node.output_size() - 1);
    training = false;
  }
  if (training) {
    if (!spatial)
      fail("training with statistics for each element (spatial = 0) is not supported");
    if (hasOutput(u.node, 3) || hasOutput(u.node, 4))
      fail("the outputs saved_mean and saved_var were removed in opset 14");
    u.node.mutable_output()->DeleteSubrange(std::min(3, u.node.output_size()),
                                            std::max(0, u.node.output_size() - 3));
    u.addAttribute(makeAttribute("training_mode", int64_t(1)));
    return;
  }
  if (spatial)
    return;
  // Statistics of shape (C, D1, ...): plain arithmetic broadcasts them.
  auto epsilon = takeAttribute(u.node, "epsilon");
  const std::string x = u.node.input(0), scale = u.node.input(1), bias = u.node.input(2),
                    mean = u.node.input(3), var = u.node.input(4);
  std::string eps = u.emit("CastLike", {u.constFloat(epsilon ? epsilon->f() : 1e-5f), var});
  std::string deviation = u.emit("Sqrt", {u.emit("Add", {var, eps})});
  std::string normal = u.emit("Div", {u.emit("Sub", {x, mean}), deviation});
  u.node.clear_attribute();
  u.node.set_op_type("Add");
  u.setInputs({u.emit("Mul", {normal, scale}), bias});
  u.done = true;
}

// The mask had the data's type.
void dropout10(NodeUpgrade &u) {
  if (!hasOutput(u.node, 1))
    return;
  auto mask = u.detachOutput(1);
  u.emitAfter("CastLike", {mask.fresh, u.node.input(0)}, mask.original);
}

// At inference the ratio has no effect.
void dropout12(NodeUpgrade &u) {
  takeAttribute(u.node, "is_test");
  takeAttribute(u.node, "ratio");
}

void setResize(NodeUpgrade &u, const std::string &mode, const char *nearest, const std::string &scales) {
  u.node.clear_attribute();
  u.node.set_op_type("Resize");
  u.addAttribute(makeAttribute("mode", mode));
  u.addAttribute(makeAttribute("coordinate_transformation_mode", std::string("asymmetric")));
  if (mode == "nearest")
    u.addAttribute(makeAttribute("nearest_mode", std::string(nearest)));
  u.setInputs({u.node.input(0), "", scales});
  u.done = true;
}

// Upsample and Resize-10 map coordinates without an offset.
void upsample10(NodeUpgrade &u) {
  std::string mode = u.stringAttribute("mode", "nearest");
  if (mode == "bilinear")
    mode = "linear";
  std::string scales;
  if (hasInput(u.node, 1)) {
    scales = u.node.input(1);
  } else if (auto attr = takeAttribute(u.node, "scales")) {
    scales = u.constAttribute(*attr);
  } else {
    auto height = takeAttribute(u.node, "height_scale"), width = takeAttribute(u.node, "width_scale");
    if (!height || !width)
      fail("attribute 'scales' is missing");
    scales = u.constFloats({1, 1, height->f(), width->f()});
  }
  setResize(u, mode, "floor", scales);
}

// Resize-10's nearest mode takes the element below when it enlarges and the one
// above when it shrinks. A node that does both becomes two, axis by axis exact.
void resize11(NodeUpgrade &u) {
  std::string mode = u.stringAttribute("mode", "nearest");
  std::string scales = u.node.input(1);
  const std::vector<double> *known = u.constant(scales);
  bool enlarges = false, shrinks = false;
  if (known)
    for (double scale : *known) {
      enlarges |= scale > 1;
      shrinks |= scale < 1;
    }
  if (mode == "nearest" && enlarges && shrinks) {
    std::vector<float> up, down;
    for (double scale : *known) {
      up.push_back(float(std::max(scale, 1.0)));
      down.push_back(float(std::min(scale, 1.0)));
    }
    std::string larger =
        u.emit("Resize", {u.node.input(0), "", u.constFloats(up)},
               {makeAttribute("mode", mode), makeAttribute("nearest_mode", std::string("floor")),
                makeAttribute("coordinate_transformation_mode", std::string("asymmetric"))});
    u.setInput(0, larger);
    scales = u.constFloats(down);
  }
  setResize(u, mode, shrinks ? "ceil" : "floor", scales);
}

void resize13(NodeUpgrade &u) {
  // Both had to be present before, one of them empty.
  if (hasInput(u.node, 3))
    u.setInput(2, "");
  if (u.stringAttribute("coordinate_transformation_mode", "half_pixel") != "tf_half_pixel_for_nn")
    return;
  // Its coordinate is half_pixel's plus a half.
  if (u.stringAttribute("mode", "nearest") != "nearest" ||
      u.stringAttribute("nearest_mode", "round_prefer_floor") != "floor")
    fail("coordinate mode tf_half_pixel_for_nn without nearest_mode = \"floor\" has no equivalent in the "
         "newest opset");
  findAttribute(u.node, "coordinate_transformation_mode")->set_s("half_pixel");
  findAttribute(u.node, "nearest_mode")->set_s("round_prefer_ceil");
}

void rnn7(NodeUpgrade &u) { takeAttribute(u.node, "output_sequence"); }

void lpPool2(NodeUpgrade &u) {
  if (auto p = takeAttribute(u.node, "p")) {
    if (p->type() != AttributeProto::FLOAT || p->f() != std::floor(p->f()))
      fail("attribute 'p' is not a whole number");
    u.addAttribute(makeAttribute("p", int64_t(p->f())));
  }
}

void gridSample20(NodeUpgrade &u) {
  if (AttributeProto *mode = findAttribute(u.node, "mode")) {
    if (mode->s() == "bilinear")
      mode->set_s("linear");
    else if (mode->s() == "bicubic")
      mode->set_s("cubic");
  }
}

void dft20(NodeUpgrade &u) {
  int64_t axis = u.intAttribute("axis", 1);
  takeAttribute(u.node, "axis");
  u.setInput(2, u.constInt(axis));
}

void roiAlign16(NodeUpgrade &u) {
  u.addAttribute(makeAttribute("coordinate_transformation_mode", std::string("output_half_pixel")));
}

// Scale and bias were per group, now they are per channel.
void groupNormalization21(NodeUpgrade &u) {
  if (u.node.input_size() != 3)
    fail("it must have three inputs");
  const std::string x = u.node.input(0);
  int64_t groups = u.intAttribute("num_groups", 1);
  std::string channels = u.emit("Shape", {x}, {makeAttribute("start", int64_t(1)), makeAttribute("end", int64_t(2))});
  std::string perGroup = u.emit("Div", {channels, u.constInts({groups})});
  std::string expanded =
      u.emit("Concat", {u.constInts({groups}), perGroup}, {makeAttribute("axis", int64_t(0))});
  for (int i : {1, 2}) {
    std::string column = u.emit("Reshape", {u.node.input(i), u.constInts({groups, 1})});
    u.setInput(i, u.emit("Reshape", {u.emit("Expand", {column, expanded}), u.constInts({-1})}));
  }
}

// Scan-8 runs a scan for each element of a batch: a Scan over the batch whose
// body is the scan over the sequence, or over the part of it that the element's
// length says. What is past that part in the outputs is zero.
void scan9(NodeUpgrade &u) {
  auto body = takeAttribute(u.node, "body");
  auto scanInputs = takeAttribute(u.node, "num_scan_inputs");
  auto directions = takeAttribute(u.node, "directions");
  if (!body || !scanInputs)
    fail("attribute 'body' or 'num_scan_inputs' is missing");
  int states = u.node.input_size() - 1 - int(scanInputs->i());
  if (scanInputs->i() < 1 || states < 0 || states > u.node.output_size())
    fail("num_scan_inputs does not fit the number of inputs and outputs");

  GraphProto batch;
  batch.set_name(body->g().name() + "_batch");
  auto add = [&](const char *op, const std::vector<std::string> &inputs, const std::vector<AttributeProto> &attrs,
                 int outputs = 1) -> NodeProto & {
    NodeProto &made = *batch.add_node();
    made.set_name(u.node.name());
    made.set_op_type(op);
    made.mutable_input()->Assign(inputs.begin(), inputs.end());
    made.mutable_attribute()->Assign(attrs.begin(), attrs.end());
    for (int i = 0; i < outputs; ++i)
      made.add_output(u.freshName());
    return made;
  };
  std::vector<std::string> inputs; // of the scan over the batch
  auto addInput = [&](const std::string &name) {
    inputs.push_back(name);
    std::string element = u.freshName();
    batch.add_input()->set_name(element);
    return element;
  };

  // The sizes of the two parts of a sequence. Split refuses what does not fit.
  std::string zero, parts, rest;
  bool hasLengths = hasInput(u.node, 0);
  if (hasLengths) {
    std::string length = addInput(u.node.input(0));
    zero = add("Constant", {}, {makeAttribute("value_ints", std::vector<int64_t>{0})}).output(0);
    length = add("Unsqueeze", {length, zero}, {}).output(0);
    std::string whole = u.node.input(states + 1);
    whole = add("Shape", {whole}, {makeAttribute("start", int64_t(1)), makeAttribute("end", int64_t(2))}).output(0);
    rest = add("Sub", {whole, length}, {}).output(0);
    parts = add("Concat", {length, rest}, {makeAttribute("axis", int64_t(0))}).output(0);
  }
  NodeProto scan;
  scan.set_name(u.node.name());
  scan.set_op_type("Scan");
  for (int i = 1; i < u.node.input_size(); ++i) {
    std::string element = addInput(u.node.input(i));
    bool isCut = hasLengths && i > states;
    scan.add_input(isCut ? add("Split", {element, parts}, {makeAttribute("axis", int64_t(0))}, 2).output(0) : element);
  }
  for (int i = 0; i < u.node.output_size(); ++i)
    scan.add_output(u.freshName());
  *scan.add_attribute() = *body;
  *scan.add_attribute() = *scanInputs;
  if (directions) {
    directions->set_name("scan_input_directions");
    *scan.add_attribute() = *directions;
  }
  *batch.add_node() = scan;
  std::string pads = hasLengths ? add("Concat", {zero, rest}, {makeAttribute("axis", int64_t(0))}).output(0) : "";
  for (int i = 0; i < scan.output_size(); ++i) {
    bool isPadded = hasLengths && i >= states;
    batch.add_output()->set_name(isPadded ? add("Pad", {scan.output(i), pads, "", zero}, {}).output(0)
                                          : scan.output(i));
  }

  u.setInputs(inputs);
  AttributeProto graph;
  graph.set_name("body");
  graph.set_type(AttributeProto::GRAPH);
  *graph.mutable_g() = batch;
  u.addAttribute(graph);
  u.addAttribute(makeAttribute("num_scan_inputs", int64_t(inputs.size())));
}

} // namespace

const std::vector<Adapter> &networkAdapters() {
  static const std::vector<Adapter> adapters = {
      {"BatchNormalization", 14, batchNormalization14},
      {"Dropout", 10, dropout10},
      {"Dropout", 12, dropout12},
      {"Upsample", 10, upsample10},
      {"Resize", 11, resize11},
      {"Resize", 13, resize13},
      {"RNN", 7, rnn7},
      {"GRU", 7, rnn7},
      {"LSTM", 7, rnn7},
      {"LpPool", 2, lpPool2},
      {"GlobalLpPool", 2, lpPool2},
      {"GridSample", 20, gridSample20},
      {"DFT", 20, dft20},
      {"RoiAlign", 16, roiAlign16},
      {"GroupNormalization", 21, groupNormalization21},
      {"Scan", 9, scan9},
  };
  return adapters;
}

} // namespace onnxc::importer
