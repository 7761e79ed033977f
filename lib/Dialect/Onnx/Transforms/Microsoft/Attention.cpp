// Attention in the forms of ONNX Runtime's optimizer, by ONNX's Attention.
#include "Expansion.h"
#include "Mask.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {

/// [batch, sequence, heads * size] to [batch, heads, sequence, size].
static Value splitHeads(Expansion &e, Value x, int64_t heads) {
  return e.transpose(e.reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
}

Values buildAttention(Expansion &e, const HeadsAttention &a) {
  Value q = a.q, k = a.k, v = a.v;
  bool flat = e.rank(q) == 3;
  bool split = flat && (e.rank(k) == 4 || e.rank(v) == 4);
  if (split) {
    q = splitHeads(e, q, a.heads);
    k = e.rank(k) == 3 ? splitHeads(e, k, a.keyHeads) : k;
    v = e.rank(v) == 3 ? splitHeads(e, v, a.keyHeads) : v;
  }
  Attrs attrs{e.integerAttr("is_causal", a.causal)};
  if (e.rank(q) == 3) {
    attrs.push_back(e.integerAttr("q_num_heads", a.heads));
    attrs.push_back(e.integerAttr("kv_num_heads", a.keyHeads));
  }
  if (a.scale != 0)
    attrs.push_back(e.realAttr("scale", a.scale));
  if (a.softcap != 0)
    attrs.push_back(e.realAttr("softcap", a.softcap));
  if (a.wantsScores)
    attrs.push_back(e.integerAttr("qk_matmul_output_mode", 3));
  bool past = static_cast<bool>(a.pastKey);
  Values made = e.ops("Attention", {q, k, v, a.bias, a.pastKey, a.pastValue}, attrs,
                      {true, past, past, a.wantsScores});
  if (split)
    made[0] = e.reshape(e.transpose(made[0], {0, 2, 1, 3}), {0, 0, -1});
  // Without a cache what is new is all there is.
  if (!past && a.wantsKey)
    made[1] = e.rank(k) == 4 ? k : splitHeads(e, k, a.keyHeads);
  if (!past && a.wantsValue)
    made[2] = e.rank(v) == 4 ? v : splitHeads(e, v, a.keyHeads);
  return made;
}

FailureOr<Values> attendProjected(Expansion &e, Value projected, Ints sizes, Value mask, Value past,
                                  Value attentionBias) {
  HeadsAttention a;
  Values parts = e.split(projected, sizes, 2);
  a.q = parts[0], a.k = parts[1], a.v = parts[2];
  a.heads = a.keyHeads = e.integer("num_heads", 0);
  a.scale = e.real("scale", 0);
  a.causal = e.integer("unidirectional", 0) != 0;
  Value queries = e.size(projected, 1), total = queries;
  if (past) {
    a.pastKey = e.squeeze(e.slice(past, 0, 1, 0), {0});
    a.pastValue = e.squeeze(e.slice(past, 1, 2, 0), {0});
    total = e.add(e.size(past, 3), queries);
  }
  auto bias = maskBias(e, mask, {e.size(projected, 0), queries, total, e.elem(projected)});
  if (failed(bias))
    return failure();
  a.bias = e.addIf(*bias, attentionBias);
  a.wantsKey = a.wantsValue = e.wants(1);
  Values made = buildAttention(e, a);
  Value present;
  if (e.wants(1))
    present = e.concat({e.unsqueeze(made[1], {0}), e.unsqueeze(made[2], {0})}, 0);
  return Values{made[0], present};
}

namespace {

using Results = FailureOr<Values>;

/// What Attention and QAttention refuse alike.
LogicalResult checkProjected(Expansion &e) {
  if (e.integer("num_heads", 0) < 1)
    return e.refuse("needs num_heads");
  if (e.integer("do_rotary", 0) != 0)
    return e.refuse("with do_rotary is not supported");
  if (e.integer("past_present_share_buffer", 0) != 0)
    return e.refuse("with past_present_share_buffer is not supported: let past and present be tensors of their own");
  return e.needRank(0, {3});
}

/// input, weights, bias, mask_index, past, attention_bias; output, present.
Results expandAttention(Expansion &e) {
  if (failed(checkProjected(e)))
    return failure();
  int64_t all = e.dim(e.in(1), 1);
  if (ShapedType::isDynamic(all))
    return e.refuse("needs weights whose shape is known");
  SmallVector<int64_t> sizes(3, all / 3);
  if (auto given = e.ints("qkv_hidden_sizes"); given && given->size() == 3)
    sizes.assign(given->begin(), given->end());
  Value projected = e.addIf(e.op("MatMul", {e.in(0), e.in(1)}), e.in(2));
  return attendProjected(e, projected, sizes, e.in(3), e.in(4), e.in(5));
}

/// input, weight, bias, input_scale, weight_scale, mask_index, input_zero, weight_zero, past.
Results expandQAttention(Expansion &e) {
  if (failed(checkProjected(e)))
    return failure();
  int64_t all = e.dim(e.in(1), 1);
  if (ShapedType::isDynamic(all))
    return e.refuse("needs weights whose shape is known");
  Value projected =
      integerMatMul(e, e.in(0), e.in(1), e.in(3), e.in(4), e.in(6), e.in(7), e.in(2));
  return attendProjected(e, projected, {all / 3, all / 3, all / 3}, e.in(5), e.in(8), Value());
}

/// Where MultiHeadAttention and DecoderMaskedMultiHeadAttention have their inputs.
struct MultiHeadInputs {
  unsigned bias, mask, attentionBias, pastKey, pastValue, pastLength, indirection;
};

/// Removes dimension 3 of [batch, sequence, heads, count, size], of which it makes `count` tensors [batch,
/// sequence, heads * size].
Values unpack(Expansion &e, Value x, int64_t count) {
  Values parts = e.split(x, SmallVector<int64_t>(count, 1), 3);
  for (Value &part : parts)
    part = e.reshape(part, {0, 0, -1});
  return parts;
}

/// Adds the bias of the projections, one after the other in one vector, to those of q, k and v that are new.
LogicalResult addProjectionBias(Expansion &e, Value bias, HeadsAttention &a, bool keysAreCached) {
  int64_t all = e.dim(bias, 0), hidden = e.dim(a.q, 2);
  if (ShapedType::isDynamic(hidden) && !keysAreCached)
    hidden = e.dim(a.k, 2);
  if (ShapedType::isDynamic(all) || ShapedType::isDynamic(hidden) || 2 * hidden > all)
    return e.refuse("has a bias, and so needs a known number of hidden elements");
  Values parts = e.split(bias, {hidden, hidden, all - 2 * hidden}, 0);
  a.q = e.add(a.q, parts[0]);
  if (keysAreCached)
    return success();
  a.k = e.add(a.k, parts[1]);
  a.v = e.add(a.v, parts[2]);
  return success();
}

Results multiHead(Expansion &e, const MultiHeadInputs &at, bool packsFlat) {
  HeadsAttention a;
  a.heads = a.keyHeads = e.integer("num_heads", 0);
  if (a.heads < 1)
    return e.refuse("needs num_heads");
  if (e.has(at.indirection))
    return e.refuse("with cache_indirection, which beam search inside of the model needs, is not supported: "
                    "reorder the cache between the runs");
  if (failed(e.needRank(0, {3, 5})) || failed(e.needRank(1, {3, 4, 5})) ||
      failed(e.needRank(2, {3, 4})))
    return failure();
  a.q = e.in(0), a.k = e.in(1), a.v = e.in(2);
  bool keysAreCached = a.k && e.rank(a.k) == 4;
  if (e.rank(a.q) == 5) {
    Values parts = unpack(e, a.q, 3);
    a.q = parts[0], a.k = parts[1], a.v = parts[2];
  } else if (!a.k && packsFlat) {
    int64_t all = e.dim(a.q, 2);
    if (ShapedType::isDynamic(all) || all % 3 != 0)
      return e.refuse("needs a packed query whose last dimension is known and a multiple of 3");
    Values parts = e.split(a.q, {all / 3, all / 3, all / 3}, 2);
    a.q = parts[0], a.k = parts[1], a.v = parts[2];
  } else if (a.k && e.rank(a.k) == 5) {
    Values parts = unpack(e, a.k, 2);
    a.k = parts[0], a.v = parts[1];
  }
  if (!a.k || !a.v)
    return e.refuse("lacks the key or the value");
  if (e.has(at.bias) && failed(addProjectionBias(e, e.in(at.bias), a, keysAreCached)))
    return failure();
  a.scale = e.real("scale", 0);
  a.causal = e.integer("unidirectional", 0) != 0;
  a.wantsKey = e.wants(1), a.wantsValue = e.wants(2), a.wantsScores = e.wants(3);
  Value batch = e.size(a.q, 0), queries = e.size(a.q, 1);
  Value total = e.size(a.k, keysAreCached ? 2 : 1);
  bool past = e.has(at.pastKey) && e.has(at.pastValue) && !keysAreCached;
  bool shared = past && e.has(at.pastLength);
  Value length;
  if (shared) {
    // The new keys go behind those that are valid, into the same memory.
    length = e.reshape(e.cast(e.in(at.pastLength), e.b.getI64Type()), {1});
    Value where = e.op("Expand", {length, batch});
    auto scatter = [&](unsigned cache, Value fresh) {
      return e.op("TensorScatter", {e.in(cache), splitHeads(e, fresh, a.heads), where});
    };
    a.k = scatter(at.pastKey, a.k);
    a.v = scatter(at.pastValue, a.v);
    total = e.add(length, queries);
  } else if (past) {
    a.pastKey = e.in(at.pastKey), a.pastValue = e.in(at.pastValue);
    total = e.add(e.size(a.pastKey, 2), total);
  }
  auto bias = maskBias(e, e.in(at.mask), {batch, queries, total, e.elem(a.q)});
  if (failed(bias))
    return failure();
  a.bias = e.addIf(*bias, e.in(at.attentionBias));
  if (shared) {
    // Keys behind the new ones are not valid; a query sees those up to its own position if it is causal.
    Value keys = e.iota(e.size(a.k, 2)), last = e.sub(total, e.vector({1}));
    if (a.causal)
      last = e.unsqueeze(e.add(e.iota(queries), length), {1});
    Value visible = e.op("LessOrEqual", {keys, last});
    Type elem = e.elem(a.q);
    Value hidden = e.op("Where", {visible, e.scalar(elem, 0),
                                  e.scalar(elem, -std::numeric_limits<double>::infinity())});
    if (a.bias) // is shorter than the cache
      hidden = e.add(e.slice(hidden, e.vector({0}), total, -1), a.bias);
    a.bias = e.rank(hidden) == 1 ? e.unsqueeze(hidden, {0}) : hidden;
    a.causal = false;
  }
  return buildAttention(e, a);
}

Results expandMultiHead(Expansion &e) { return multiHead(e, {3, 4, 5, 6, 7, 8, 9}, false); }
Results expandDecoderMasked(Expansion &e) { return multiHead(e, {10, 3, 4, 5, 6, 7, 9}, true); }

} // namespace

Expander attentionExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("Attention", expandAttention)
      .Case("QAttention", expandQAttention)
      .Case("MultiHeadAttention", expandMultiHead)
      .Case("DecoderMaskedMultiHeadAttention", expandDecoderMasked)
      .Default(nullptr);
}

} // namespace onnxc::onnx
