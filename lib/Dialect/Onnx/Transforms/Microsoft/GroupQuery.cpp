// Rotary embeddings, and attention of grouped queries with a cache whose sequences have lengths of
// their own.
#include "Expansion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

/// input, position_ids, cos_cache, sin_cache.
Results expandRotaryEmbedding(Expansion &e) {
  if (failed(e.needRank(0, {3, 4})) || failed(e.needRank(1, {1, 2})) ||
      failed(e.needRank(2, {2})))
    return failure();
  if (e.integer("is_packed_batching", 0) != 0)
    return e.refuse("with is_packed_batching is not supported");
  if (double scale = e.real("scale", 1); scale != 1)
    return e.refuse("with a scale of its own is not supported");
  Value x = e.in(0), positions = e.in(1);
  bool flat = e.rank(x) == 3;
  int64_t heads = e.integer("num_heads", 0), part = e.integer("rotary_embedding_dim", 0);
  if (flat && heads == 0) {
    // Without a count the whole of each head turns.
    int64_t hidden = e.dim(x, 2), half = e.dim(e.in(2), 1);
    if (ShapedType::isDynamic(hidden) || ShapedType::isDynamic(half) || half == 0)
      return e.refuse("needs num_heads, or a known size of its input and of cos_cache");
    heads = hidden / (2 * half);
  }
  if (e.rank(positions) == 1) {
    // The position of the first element.
    Value at = e.add(e.iota(e.size(x, flat ? 1 : 2)), positions);
    Value batch = e.concat({e.size(x, 0), e.vector({1})}, 0);
    positions = e.op("Expand", {e.unsqueeze(at, {0}), batch});
  }
  Attrs attrs{e.integerAttr("interleaved", e.integer("interleaved", 0)),
              e.integerAttr("rotary_embedding_dim", part)};
  if (flat)
    attrs.push_back(e.integerAttr("num_heads", heads));
  return Values{e.op("RotaryEmbedding", {x, e.in(2), e.in(3), positions}, attrs)};
}

enum GroupQueryInput {
  Query, Key, Value_, PastKey, PastValue, LastKey, TotalLength, CosCache, SinCache, PositionIds,
  AttentionBias, HeadSink, KeyScale, ValueScale, QueryNorm, KeyNorm
};

class GroupQuery {
public:
  explicit GroupQuery(Expansion &e) : e(e), i64(e.b.getI64Type()) {}

  Results expand() {
    if (failed(check()))
      return failure();
    heads = e.integer("num_heads", 0), keyHeads = e.integer("kv_num_heads", 0);
    if (heads < 1 || keyHeads < 1 || heads % keyHeads != 0)
      return e.refuse("needs num_heads that are a multiple of kv_num_heads");
    if (failed(readQueries()))
      return failure();
    batch = e.size(q, 0), queries = e.size(q, 1);
    // Lengths of the sequences with the new elements, and where these begin: at 0 in a prompt, whose
    // sequences may be padded at their end.
    lengths = e.add(e.cast(e.reshape(e.in(LastKey), {-1}), i64), e.vector({1}));
    total = e.reshape(e.cast(e.in(TotalLength), i64), {1});
    Value isPrompt = e.op("Equal", {total, queries});
    starts = e.op("Where", {isPrompt, e.vector({0}), e.sub(lengths, queries)});
    positions = e.add(e.unsqueeze(starts, {1}), e.unsqueeze(e.iota(queries), {0}));
    if (e.integer("do_rotary", 0) != 0)
      rotate();
    q = split(q, heads), k = split(k, keyHeads), v = split(v, keyHeads);
    HeadsAttention a;
    a.q = q;
    if (cacheBits == 0) {
      a.k = k = append(PastKey, k), a.v = v = append(PastValue, v);
    } else {
      k = append(PastKey, encode(k, KeyScale)), v = append(PastValue, encode(v, ValueScale));
      a.k = decode(k, KeyScale), a.v = decode(v, ValueScale);
    }
    a.heads = heads, a.keyHeads = keyHeads;
    a.scale = e.real("scale", 0), a.softcap = e.real("softcap", 0);
    a.bias = mask();
    Value y = buildAttention(e, a)[0];
    y = e.reshape(e.transpose(y, {0, 2, 1, 3}), {0, 0, -1});
    return Values{y, k, v};
  }

private:
  Expansion &e;
  Type i64;
  int64_t heads = 0, keyHeads = 0;
  int64_t cacheBits = 0; // of an integer in the cache; 0: it has the queries' type
  Value q, k, v;
  Value batch, queries, total; // vectors of one int64
  Value lengths, starts;       // [batch]
  Value positions;             // [batch, queries]

  LogicalResult check() {
    if (e.has(HeadSink) || e.integer("smooth_softmax", -1) > 0)
      return e.refuse("with head_sink or smooth_softmax is not supported");
    if (e.has(QueryNorm) || e.has(KeyNorm))
      return e.refuse("with q_norm_weight or k_norm_weight is not supported: ONNX Runtime's CPU provider "
                      "does not take them either; let the norms be nodes of their own");
    if (e.integer("sliding_window_cache", 0) != 0)
      return e.refuse("with sliding_window_cache is not supported: give the cache the whole length");
    if (e.wants(3))
      return e.refuse("with the output output_qk is not supported");
    if (!e.has(LastKey) || !e.has(TotalLength))
      return e.refuse("needs seqlens_k and total_sequence_length");
    if (e.has(PastKey) != e.has(PastValue))
      return e.refuse("has a past key or a past value, but not both");
    for (unsigned input : {Query, Key, Value_})
      if (failed(e.needRank(input, {3})))
        return failure();
    for (unsigned input : {PastKey, PastValue})
      if (failed(e.needRank(input, {4})))
        return failure();
    return checkCache();
  }

  /// Integers of 8 bits, or of 4 with an offset of 8, two in a byte.
  LogicalResult checkCache() {
    for (auto [name, scale] : {std::pair("k_quant_type", KeyScale), std::pair("v_quant_type", ValueScale)}) {
      StringRef kind = e.text(name, "NONE");
      if (kind == "NONE")
        continue;
      if (kind != "PER_TENSOR" && kind != "PER_CHANNEL")
        return e.refuse(Twine("has ") + name + " that is none of NONE, PER_TENSOR and PER_CHANNEL");
      if (!e.has(PastKey) || !e.has(scale))
        return e.refuse("with a quantized cache needs past_key, past_value, k_scale and v_scale");
      cacheBits = e.integer("kv_cache_bit_width", 0);
    }
    if ((e.text("k_quant_type", "NONE") == "NONE") != (e.text("v_quant_type", "NONE") == "NONE"))
      return e.refuse("with a quantized cache of keys or of values, but not of both, is not supported");
    if (cacheBits == 0 && e.has(PastKey) && e.elem(e.in(PastKey)) != e.elem(e.in(Query)))
      return e.refuse("has a cache of another type than the query; a quantized one needs k_quant_type and v_quant_type");
    if (cacheBits == 0)
      return success();
    for (unsigned cache : {PastKey, PastValue}) {
      Type elem = e.elem(e.in(cache));
      if (!(cacheBits == 8 && elem.isSignlessInteger(8)) && !(cacheBits == 4 && elem.isUnsignedInteger(8)))
        return e.refuse("needs a quantized cache of int8 with kv_cache_bit_width 8, or of uint8 with 4");
    }
    return success();
  }

  Value scaleOf(unsigned scale) {
    StringRef kind = e.text(scale == KeyScale ? "k_quant_type" : "v_quant_type", "NONE");
    Value s = e.cast(e.in(scale), e.b.getF32Type());
    return kind == "PER_TENSOR" ? e.reshape(s, {1}) : e.reshape(s, {1, keyHeads, 1, -1});
  }

  /// New keys or values as the cache has them.
  Value encode(Value x, unsigned scale) {
    Type f32 = e.b.getF32Type(), u8 = e.b.getIntegerType(8, false);
    double limit = 1 << (cacheBits - 1);
    Value codes = e.op("Round", {e.div(e.cast(x, f32), scaleOf(scale))});
    codes = e.op("Clip", {codes, e.scalar(f32, -limit), e.scalar(f32, limit - 1)});
    if (cacheBits == 8)
      return e.cast(codes, e.b.getIntegerType(8));
    codes = e.cast(e.add(codes, e.scalar(f32, limit)), u8);
    Values parts = e.split(e.reshape(codes, {0, 0, 0, -1, 2}), {1, 1}, 4);
    return e.squeeze(e.add(parts[0], e.mul(parts[1], e.scalar(u8, 16))), {4});
  }

  Value decode(Value cache, unsigned scale) {
    Type f32 = e.b.getF32Type();
    Value codes = e.cast(cacheBits == 8 ? cache : unpackCodes(e, cache, cacheBits), f32);
    if (cacheBits == 4)
      codes = e.sub(codes, e.scalar(f32, 8));
    return e.cast(e.mul(codes, scaleOf(scale)), e.elem(e.in(Query)));
  }

  /// Apart, or packed in the query.
  LogicalResult readQueries() {
    q = e.in(Query), k = e.in(Key), v = e.in(Value_);
    if (k && v)
      return success();
    int64_t all = e.dim(q, 2), parts = heads + 2 * keyHeads;
    if (ShapedType::isDynamic(all) || all % parts != 0)
      return e.refuse("needs a packed query whose last dimension is known and fits the heads");
    int64_t size = all / parts;
    Values split = e.split(q, {heads * size, keyHeads * size, keyHeads * size}, 2);
    q = split[0], k = split[1], v = split[2];
    return success();
  }

  void rotate() {
    Value at = e.in(PositionIds);
    if (!at) {
      // Padding at the end of a short prompt may stand behind the tables.
      Value rows = e.size(e.in(CosCache), 0);
      at = e.op("Min", {positions, e.sub(rows, e.vector({1}))});
      at = e.op("Max", {at, e.vector({0})});
    }
    auto turn = [&](Value x, int64_t count) {
      return e.op("RotaryEmbedding", {x, e.in(CosCache), e.in(SinCache), at},
                  {e.integerAttr("interleaved", e.integer("rotary_interleaved", 0)),
                   e.integerAttr("num_heads", count),
                   e.integerAttr("rotary_embedding_dim", rotaryPart(x, count))});
    };
    q = turn(q, heads), k = turn(k, keyHeads);
  }

  /// The tables may be for a part of each head only.
  int64_t rotaryPart(Value x, int64_t count) {
    int64_t half = e.dim(e.in(CosCache), 1), hidden = e.dim(x, 2);
    if (ShapedType::isDynamic(half) || ShapedType::isDynamic(hidden) || 2 * half == hidden / count)
      return 0;
    return 2 * half;
  }

  /// [batch, sequence, heads * size] to [batch, heads, sequence, size].
  Value split(Value x, int64_t count) {
    return e.transpose(e.reshape(x, {0, 0, count, -1}), {0, 2, 1, 3});
  }

  /// The cache with the new elements behind the valid ones; it grows if they do not fit.
  Value append(unsigned cache, Value fresh) {
    if (!e.has(cache) || e.dim(e.in(cache), 2) == 0)
      return fresh;
    Value past = e.in(cache), room = e.size(past, 2);
    Value zero = e.vector({0});
    Value grow = e.op("Max", {e.sub(total, room), zero});
    Value pads = e.concat({e.vector({0, 0, 0, 0, 0, 0}), grow, zero}, 0);
    return e.op("TensorScatter", {e.op("Pad", {past, pads}), fresh, starts});
  }

  /// A query sees the valid keys up to its own position, of these the last `local_window_size`.
  Value mask() {
    Value count = e.size(k, 2), keys = e.iota(count);
    Value at = e.unsqueeze(positions, {1, 3}), ends = e.unsqueeze(lengths, {1, 2, 3});
    Value visible = e.op("Less", {keys, ends});
    if (e.integer("causal", 1) != 0)
      visible = e.op("And", {visible, e.op("LessOrEqual", {keys, at})});
    if (int64_t window = e.integer("local_window_size", -1); window > 0)
      visible = e.op("And", {visible, e.op("Greater", {keys, e.sub(at, e.vector({window}))})});
    if (!e.has(AttentionBias))
      return visible;
    Value bias = e.in(AttentionBias);
    Type elem = e.elem(bias);
    Value hidden = e.op("Where", {visible, e.scalar(elem, 0),
                                  e.scalar(elem, -std::numeric_limits<double>::infinity())});
    // It is as long as the sequences; the cache may be longer.
    Value keep = e.op("Min", {e.size(bias, -1), count});
    return e.add(e.slice(hidden, e.vector({0}), keep, -1), e.slice(bias, e.vector({0}), keep, -1));
  }
};

Results expandGroupQuery(Expansion &e) { return GroupQuery(e).expand(); }

} // namespace

Expander groupQueryExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("RotaryEmbedding", expandRotaryEmbedding)
      .Case("GroupQueryAttention", expandGroupQuery)
      .Default(nullptr);
}

} // namespace onnxc::onnx
