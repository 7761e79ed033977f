// Made by scripts/fit-math: coefficients of minimax polynomials, lowest power first.
#ifndef ONNXC_CODEGEN_CPU_MATH_COEFFICIENTS_H
#define ONNXC_CODEGEN_CPU_MATH_COEFFICIENTS_H

#include <cstdint>

namespace onnxc::coefficients {

// ln 2: times an exponent exact
inline constexpr double kLn2High = 0x1.62e4000000000p-1;
inline constexpr double kLn2Low = 0x1.7f7d1c0000000p-20;
// 1 / ln 2
inline constexpr double kLog2EHigh = 0x1.7154760000000p+0;
inline constexpr double kLog2ELow = 0x1.4ae0c00000000p-26;
// 1 / ln 10
inline constexpr double kLog10EHigh = 0x1.bcb7b20000000p-2;
inline constexpr double kLog10ELow = -0x1.5b235e0000000p-27;
// log10 2: times an exponent exact
inline constexpr double kLog10Of2High = 0x1.3440000000000p-2;
inline constexpr double kLog10Of2Low = 0x1.3509f80000000p-18;
// pi / 2 = 1 + 2 + 3, each a whole f32
inline constexpr double kHalfPi1 = 0x1.921fb60000000p+0;
inline constexpr double kHalfPi2 = -0x1.777a5c0000000p-25;
inline constexpr double kHalfPi3 = -0x1.ee59da0000000p-50;
// pi / 2 in f64: times up to 2^23 exact
inline constexpr double kHalfPiWide1 = 0x1.921fb54800000p+0;
inline constexpr double kHalfPiWide2 = -0x1.de973dcb3b39ap-31;
// The first bits of 2 / pi behind the point, after 32 before it.
inline constexpr int64_t kTwoOverPi[] = {0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1,
    0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};

// e^x on [-ln 2, ln 2]; relative error 2^-26.0.
inline constexpr double kExp[] = {
    0x1.0000000000000p+0, 0x1.0000000000000p+0, 0x1.00000c0000000p-1,
    0x1.5555140000000p-3, 0x1.5549f00000000p-5, 0x1.1126ea0000000p-7,
    0x1.71bee60000000p-10, 0x1.9ba6760000000p-13,
};

// (e^x - 1 - x) / x^2 on [-ln 2 / 2, ln 2 / 2]; relative error 2^-26.1.
inline constexpr double kExpM1[] = {
    0x1.fffffe0000000p-2, 0x1.5554b40000000p-3, 0x1.5556f20000000p-5,
    0x1.1225440000000p-7, 0x1.6b9c6e0000000p-10,
};

// (log(1 + x) - x + x^2 / 2) / x^3 on [sqrt(1/2) - 1, sqrt(2) - 1]; relative error 2^-27.3.
inline constexpr double kLog[] = {
    0x1.5555540000000p-2, -0x1.0002280000000p-2, 0x1.99a0280000000p-3,
    -0x1.54720a0000000p-3, 0x1.22d7800000000p-3, -0x1.0d854c0000000p-3,
    0x1.056d020000000p-3, -0x1.38df060000000p-4,
};

// (sin x - x) / x^3 in x^2, |x| <= pi / 4; relative error 2^-27.8.
inline constexpr double kSin[] = {
    -0x1.5555440000000p-3, 0x1.1106c60000000p-7, -0x1.991c1a0000000p-13,
};

// (cos x - 1 + x^2 / 2) / x^4 in x^2, |x| <= pi / 4; relative error 2^-32.9.
inline constexpr double kCos[] = {
    0x1.55554a0000000p-5, -0x1.6c0c200000000p-10, 0x1.99e4280000000p-16,
};

// (tan x - x) / x^3 in x^2, |x| <= pi / 4; relative error 2^-25.6.
inline constexpr double kTan[] = {
    0x1.5554d60000000p-2, 0x1.112f900000000p-3, 0x1.b54daa0000000p-5,
    0x1.9204040000000p-6, 0x1.82234c0000000p-9, 0x1.36f4fc0000000p-7,
};

// (atan x - x) / x^3 in x^2, |x| <= 1; relative error 2^-25.8.
inline constexpr double kAtan[] = {
    -0x1.5554dc0000000p-2, 0x1.9978ec0000000p-3, -0x1.230a960000000p-3,
    0x1.b4dede0000000p-4, -0x1.3551920000000p-4, 0x1.61f14e0000000p-5,
    -0x1.0c1c460000000p-6, 0x1.7eb2040000000p-9,
};

// (asin x - x) / x^3 in x^2, |x| <= 1/2; relative error 2^-27.6.
inline constexpr double kAsin[] = {
    0x1.5555c80000000p-3, 0x1.3301fc0000000p-4, 0x1.747d060000000p-5,
    0x1.8c2d820000000p-6, 0x1.596d660000000p-5,
};

// (sinh x - x) / x^3 in x^2, |x| <= 1; relative error 2^-31.6.
inline constexpr double kSinh[] = {
    0x1.5555560000000p-3, 0x1.1110e00000000p-7, 0x1.a022bc0000000p-13,
    0x1.756c1e0000000p-19,
};

// erf(x) / x - 1 in x^2, |x| <= 1; relative error 2^-29.4.
inline constexpr double kErf[] = {
    0x1.06eba80000000p-3, -0x1.81273e0000000p-2, 0x1.ce2ce60000000p-4,
    -0x1.b7f71a0000000p-6, 0x1.53f2240000000p-8, -0x1.a3515e0000000p-11,
    0x1.4771fc0000000p-14,
};

// log2(erfc x) for 1 <= x <= 4; relative error 2^-25.9.
inline constexpr double kErfTail[] = {
    -0x1.ed8eb00000000p-9, -0x1.9cc8460000000p+0, -0x1.e33b1c0000000p-1,
    -0x1.0672e40000000p-3, 0x1.5ec75e0000000p-6, -0x1.b60b440000000p-10,
};

// 2^x on [-1/2, 1/2], for erfc; relative error 2^-23.3.
inline constexpr double kExp2Short[] = {
    0x1.0000000000000p+0, 0x1.62e42a0000000p-1, 0x1.ebf9be0000000p-3,
    0x1.c6b6da0000000p-5, 0x1.3cea660000000p-7, 0x1.5bdc060000000p-10,
};

// log2(1 + x) / x on [sqrt(1/2) - 1, sqrt(2) - 1], f64; relative error 2^-38.5.
inline constexpr double kLog2Wide[] = {
    0x1.71547652b58d6p+0, -0x1.71547651b5f7ep-1, 0x1.ec709de350e90p-2,
    -0x1.7154788a46658p-2, 0x1.2776b6c64238fp-2, -0x1.ec6f2ce61e750p-3,
    0x1.a61b7ead6d692p-3, -0x1.7188f2026b853p-3, 0x1.481fc074d5132p-3,
    -0x1.23d4e0107810ep-3, 0x1.0acb9d3c43d37p-3, -0x1.13be033dd54dbp-3,
    0x1.0f714046f5102p-3, -0x1.1db6ce361fe68p-4,
};

// 2^x on [-1/2, 1/2], f64; relative error 2^-29.0.
inline constexpr double kExp2Wide[] = {
    0x1.000000026211ap+0, 0x1.62e430c82c730p-1, 0x1.ebfbdadb7dd92p-3,
    0x1.c6aed45fc4a2bp-5, 0x1.3b2dbc20bc2d3p-7, 0x1.5f4597de82330p-10,
    0x1.41d33d1d91bdap-13,
};

} // namespace onnxc::coefficients

#endif
