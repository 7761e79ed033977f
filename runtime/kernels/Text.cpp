// See text.h.
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

using namespace onnxc_k;

uint32_t onnxc_k::nextCodePoint(const char *text, int64_t size, int64_t *at) {
  auto byte = [&](int64_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  int64_t i = *at;
  uint32_t first = byte(i);
  int64_t more = first >= 0xf0 && first < 0xf8 ? 3 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xc0 && first < 0xe0 ? 1 : 0;
  *at = i + 1;
  if (more == 0 || i + more >= size)
    return first;
  uint32_t result = first & (0x3fu >> more);
  for (int64_t k = 1; k <= more; ++k) {
    if ((byte(i + k) & 0xc0) != 0x80)
      return first;
    result = result << 6 | (byte(i + k) & 0x3f);
  }
  *at = i + more + 1;
  return result;
}

int onnxc_k::putCodePoint(uint32_t c, char *to) {
  if (c < 0x80) {
    to[0] = static_cast<char>(c);
    return 1;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  to[0] = static_cast<char>(kLead[more] | c >> (6 * more));
  for (int k = 1; k <= more; ++k)
    to[k] = static_cast<char>(0x80 | (c >> (6 * (more - k)) & 0x3f));
  return more + 1;
}

namespace {

// A copy of a number's text, trimmed and with the locale's decimal point, as strtod wants it.
bool copyNumber(const onnxc_str &text, char (&to)[128]) {
  auto isSpace = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  int64_t begin = 0, end = text.size;
  while (begin < end && isSpace(text.data[begin]))
    ++begin;
  while (end > begin && isSpace(text.data[end - 1]))
    --end;
  if (begin == end || end - begin >= static_cast<int64_t>(sizeof(to)))
    return false;
  char point = localeconv()->decimal_point[0];
  for (int64_t i = begin; i < end; ++i)
    to[i - begin] = text.data[i] == '.' ? point : text.data[i];
  to[end - begin] = 0;
  return true;
}

bool roundTrips(double value, FloatKind kind, const char *digits) {
  double read = strtod(digits, nullptr);
  switch (kind) {
  case FloatKind::Double: return read == value;
  case FloatKind::Float: return strtof(digits, nullptr) == static_cast<float>(value);
  case FloatKind::Half: return F16(static_cast<float>(read)).bits == F16(static_cast<float>(value)).bits;
  case FloatKind::BFloat: return BF16(static_cast<float>(read)).bits == BF16(static_cast<float>(value)).bits;
  }
  return true;
}

} // namespace

bool onnxc_k::parseDouble(const onnxc_str &text, double *value) {
  char copy[128];
  if (!copyNumber(text, copy))
    return false;
  char *end = nullptr;
  *value = strtod(copy, &end);
  return *end == 0;
}

bool onnxc_k::parseInt(const onnxc_str &text, int64_t *value) {
  char copy[128];
  if (!copyNumber(text, copy))
    return false;
  char *end = nullptr;
  if (copy[0] == '-') {
    *value = static_cast<int64_t>(strtoll(copy, &end, 10));
  } else {
    *value = static_cast<int64_t>(strtoull(copy, &end, 10)); // the upper half is for uint64
  }
  return *end == 0;
}

int onnxc_k::formatFloat(double value, FloatKind kind, char *text) {
  if (value != value)
    return snprintf(text, 64, "nan");
  if (isinf(value))
    return snprintf(text, 64, value < 0 ? "-inf" : "inf");
  // d.ddde[+-]xx with as few digits as read back.
  char scientific[64];
  for (int precision = 0; precision <= 16; ++precision) {
    snprintf(scientific, sizeof(scientific), "%.*e", precision, value);
    if (roundTrips(value, kind, scientific))
      break;
  }
  char digits[32];
  int count = 0;
  bool negative = scientific[0] == '-';
  const char *at = scientific + negative;
  for (; *at && *at != 'e'; ++at)
    if (*at >= '0' && *at <= '9')
      digits[count++] = *at;
  int exponent = atoi(at + 1);
  char *to = text;
  if (negative)
    *to++ = '-';
  if (exponent < -4 || exponent >= 16) {
    *to++ = digits[0];
    if (count > 1)
      *to++ = '.';
    for (int i = 1; i < count; ++i)
      *to++ = digits[i];
    to += snprintf(to, 8, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    return static_cast<int>(to - text);
  }
  for (int i = exponent < 0 ? exponent : 0; i < count || i <= exponent + 1; ++i) {
    if (i == exponent + 1)
      *to++ = '.';
    *to++ = i >= 0 && i < count ? digits[i] : '0';
  }
  *to = 0;
  return static_cast<int>(to - text);
}
