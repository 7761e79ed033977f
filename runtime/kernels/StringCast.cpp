// Cast between strings and numbers.
#include <stdio.h>

#include "text.h"

using namespace onnxc_k;

ONNXC_KERNEL(CastFromString) {
  const onnxc_tensor &x = in[0];
  int64_t n = onnxc_num_elements(&x);
  void *to = prepareOut(ctx, out[0], Dims(x));
  auto number = [&](int64_t i) {
    double value = 0;
    if (!parseDouble(*dataOf<Str>(x)[i], &value))
      onnxc_fail(ctx, "Cast: element %lld is not a number: '%.*s'", static_cast<long long>(i),
                 static_cast<int>(dataOf<Str>(x)[i]->size), dataOf<Str>(x)[i]->data);
    return value;
  };
  int32_t type = out[0].elem_type;
  if (type == ONNXC_DOUBLE) {
    for (int64_t i = 0; i < n; ++i)
      static_cast<double *>(to)[i] = number(i);
    return 0;
  }
  bool isInt = (type >= ONNXC_UINT8 && type <= ONNXC_INT64) || type == ONNXC_UINT32 || type == ONNXC_UINT64 ||
               type == ONNXC_INT4 || type == ONNXC_UINT4 || type == ONNXC_INT2 || type == ONNXC_UINT2;
  if (isInt) {
    dispatchInt(ctx, "Cast", type, [&](auto tag) {
      using T = typename decltype(tag)::Type;
      for (int64_t i = 0; i < n; ++i) {
        int64_t value = 0;
        if (!parseInt(*dataOf<Str>(x)[i], &value)) {
          double real = number(i);
          if (!(real > -9.2e18 && real < 9.2e18))
            onnxc_fail(ctx, "Cast: element %lld is not an integer", static_cast<long long>(i));
          value = static_cast<int64_t>(real);
        }
        static_cast<T *>(to)[i] = static_cast<T>(value);
      }
    });
    return 0;
  }
  dispatchNumber(ctx, "Cast", type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < n; ++i)
      static_cast<T *>(to)[i] = static_cast<T>(static_cast<float>(number(i)));
  });
  return 0;
}

// Characters of an integer, at most.
constexpr int64_t kIntegerSize = 21;

// The decimal digits of a number; returns their count.
static int formatInteger(uint64_t magnitude, bool negative, char *to) {
  char digits[20];
  int count = 0;
  do
    digits[count++] = static_cast<char>('0' + magnitude % 10);
  while (magnitude /= 10);
  if (negative)
    *to++ = '-';
  for (int i = 0; i < count; ++i)
    to[i] = digits[count - 1 - i];
  return count + negative;
}

ONNXC_KERNEL(CastToString) {
  const onnxc_tensor &x = in[0];
  auto *to = static_cast<Str *>(prepareOut(ctx, out[0], Dims(x)));
  int64_t n = onnxc_num_elements(&x);
  if (x.elem_type == ONNXC_INT64 || x.elem_type == ONNXC_INT32) {
    // All in one allocation, built in place.
    auto *strings = static_cast<onnxc_str *>(static_cast<void *>(
        scratch<char>(ctx, n * (static_cast<int64_t>(sizeof(onnxc_str)) + kIntegerSize))));
    auto *text = reinterpret_cast<char *>(strings + n);
    for (int64_t i = 0; i < n; ++i) {
      int64_t value = x.elem_type == ONNXC_INT64 ? dataOf<int64_t>(x)[i] : dataOf<int32_t>(x)[i];
      auto bits = static_cast<uint64_t>(value);
      strings[i] = {formatInteger(value < 0 ? 0 - bits : bits, value < 0, text), text};
      text += strings[i].size;
      to[i] = &strings[i];
    }
    return 0;
  }
  for (int64_t i = 0; i < n; ++i) {
    char text[64];
    int size = 0;
    switch (x.elem_type) {
    case ONNXC_BOOL:
      size = snprintf(text, sizeof(text), dataOf<uint8_t>(x)[i] ? "True" : "False");
      break;
    case ONNXC_DOUBLE:
      size = formatFloat(dataOf<double>(x)[i], FloatKind::Double, text);
      break;
    case ONNXC_FLOAT:
      size = formatFloat(static_cast<double>(dataOf<float>(x)[i]), FloatKind::Float, text);
      break;
    case ONNXC_FLOAT16:
      size = formatFloat(numberAt(ctx, x, i), FloatKind::Half, text);
      break;
    case ONNXC_BFLOAT16:
      size = formatFloat(numberAt(ctx, x, i), FloatKind::BFloat, text);
      break;
    case ONNXC_UINT64:
      size = formatInteger(dataOf<uint64_t>(x)[i], false, text);
      break;
    default: {
      double value = numberAt(ctx, x, i);
      bool isInt = x.elem_type < ONNXC_INT32 || x.elem_type == ONNXC_UINT32 || x.elem_type == ONNXC_UINT4 ||
                   x.elem_type == ONNXC_INT4 || x.elem_type == ONNXC_UINT2 || x.elem_type == ONNXC_INT2;
      size = isInt ? formatInteger(static_cast<uint64_t>(value < 0 ? -value : value), value < 0, text)
                   : formatFloat(value, FloatKind::BFloat, text);
    }
    }
    to[i] = onnxc_new_string(ctx, text, size);
  }
  return 0;
}
