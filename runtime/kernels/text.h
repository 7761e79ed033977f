// UTF-8, letter case, and numbers as text, independent of the process's locale.
#ifndef ONNXC_KERNELS_TEXT_H
#define ONNXC_KERNELS_TEXT_H

#include "common.h"

namespace onnxc_k {

// The code point at text[*at], which moves on. A malformed byte stands for itself.
uint32_t nextCodePoint(const char *text, int64_t size, int64_t *at);
// Writes at most 4 bytes, returns how many.
int putCodePoint(uint32_t codePoint, char *to);

uint32_t toLower(uint32_t codePoint);
uint32_t toUpper(uint32_t codePoint);

// Parses all of text (at most surrounding spaces may remain); false if it is no number.
bool parseDouble(const onnxc_str &text, double *value);
bool parseInt(const onnxc_str &text, int64_t *value);

// The shortest decimal that reads back as the same value of that many mantissa digits, as Python's str()
// writes it: "0.1", "1e-05", "10.0", "nan". Returns the size; text has room for 64 bytes.
enum class FloatKind { Half, BFloat, Float, Double };
int formatFloat(double value, FloatKind kind, char *text);

} // namespace onnxc_k

#endif
