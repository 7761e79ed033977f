// String operators, regular expressions, casts.
#include <cmath>
#include <limits>

#include "KernelTest.h"

ONNXC_DECLARE_KERNEL(StringConcat)
ONNXC_DECLARE_KERNEL(StringEqual)
ONNXC_DECLARE_KERNEL(StringSplit)
ONNXC_DECLARE_KERNEL(StringNormalizer)
ONNXC_DECLARE_KERNEL(RegexFullMatch)
ONNXC_DECLARE_KERNEL(CastFromString)
ONNXC_DECLARE_KERNEL(CastToString)
ONNXC_DECLARE_KERNEL(TfIdfVectorizer)

using namespace onnxc_test;

TEST(String, ConcatAndEqualBroadcast) {
  Call concat(onnxc_kernel_StringConcat), equal(onnxc_kernel_StringEqual);
  concat.strings({2, 1}, {"a", ""}).strings({3}, {"x", "", "yz"});
  ASSERT_EQ(concat.run({ONNXC_STRING}), "");
  EXPECT_EQ(concat.shape(), (Shape{2, 3}));
  EXPECT_EQ(concat.stringValues(), (Strings{"ax", "a", "ayz", "x", "", "yz"}));
  equal.strings({2}, {"a", "b"}).strings({}, {"b"});
  ASSERT_EQ(equal.run({ONNXC_BOOL}), "");
  EXPECT_EQ(equal.values<uint8_t>(), (std::vector<uint8_t>{0, 1}));
}

TEST(String, SplitAsPython) {
  Call spaces(onnxc_kernel_StringSplit), limited(onnxc_kernel_StringSplit), comma(onnxc_kernel_StringSplit);
  spaces.strings({2}, {" a  bc ", ""});
  ASSERT_EQ(spaces.run({ONNXC_STRING, ONNXC_INT64}), "");
  EXPECT_EQ(spaces.stringValues(), (Strings{"a", "bc", "", ""}));
  EXPECT_EQ(spaces.values<int64_t>(1), (Shape{2, 0}));
  limited.strings({1}, {"a b c "}).attr("maxsplit", 1);
  ASSERT_EQ(limited.run({ONNXC_STRING, ONNXC_INT64}), "");
  EXPECT_EQ(limited.stringValues(), (Strings{"a", "b c "}));
  comma.strings({2}, {"a,,b", ""}).attr("delimiter", ",");
  ASSERT_EQ(comma.run({ONNXC_STRING, ONNXC_INT64}), "");
  EXPECT_EQ(comma.shape(), (Shape{2, 3}));
  EXPECT_EQ(comma.values<int64_t>(1), (Shape{3, 1}));
}

TEST(String, Normalizer) {
  Call call(onnxc_kernel_StringNormalizer), all(onnxc_kernel_StringNormalizer);
  call.strings({3}, {"Ärger", "monday", "Straße"}).attr("case_change_action", "UPPER").stringList("stopwords", {"MONDAY"});
  ASSERT_EQ(call.run({ONNXC_STRING}), "");
  EXPECT_EQ(call.stringValues(), (Strings{"ÄRGER", "STRAßE"}));
  all.strings({1, 1}, {"x"}).stringList("stopwords", {"x"}).attr("is_case_sensitive", 1);
  ASSERT_EQ(all.run({ONNXC_STRING}), "");
  EXPECT_EQ(all.shape(), (Shape{1, 1}));
  EXPECT_EQ(all.stringValues(), (Strings{""}));
}

void expectMatches(const char *pattern, const Strings &texts, const std::vector<uint8_t> &expected) {
  Call call(onnxc_kernel_RegexFullMatch);
  call.strings({static_cast<int64_t>(texts.size())}, texts).attr("pattern", pattern);
  ASSERT_EQ(call.run({ONNXC_BOOL}), "") << pattern;
  EXPECT_EQ(call.values<uint8_t>(), expected) << pattern;
}

TEST(Regex, Matches) {
  expectMatches("(\\W|^)[\\w.\\-]{0,25}@(yahoo|gmail)\\.com(\\W|$)", {"account@gmail.com", "account@hotmail.com"}, {1, 0});
  expectMatches("a{2,3}b?", {"aa", "aaab", "aaaa", "ab"}, {1, 1, 0, 0});
  expectMatches("(?i)[^x]é+", {"aé", "Xé", "BÉÉ"}, {1, 0, 1});
  expectMatches("(a|ab)(c|bcd)(d*)", {"abcd", "acd", "ab"}, {1, 1, 0});
  expectMatches("(a*)*b", {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"}, {0}); // linear time
  expectMatches("[[:digit:]-]+|", {"1-2", "", "x"}, {1, 1, 0});
}

TEST(Regex, Refusals) {
  Call call(onnxc_kernel_RegexFullMatch);
  call.strings({1}, {"a"}).attr("pattern", "(?=a)");
  EXPECT_EQ(call.run({ONNXC_BOOL}), "RegexFullMatch: pattern '(?=a)': this kind of group is not supported at byte 3");
}

TEST(StringCast, FromAndTo) {
  Call from(onnxc_kernel_CastFromString), wrong(onnxc_kernel_CastFromString);
  from.strings({4}, {"1.5", "-INF", "NaN", " 1e-3"});
  ASSERT_EQ(from.run({ONNXC_FLOAT}), "");
  std::vector<float> values = from.values<float>();
  EXPECT_EQ(values[0], 1.5f);
  EXPECT_EQ(values[1], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(values[2]));
  EXPECT_EQ(values[3], 1e-3f);
  wrong.strings({1}, {"x"});
  EXPECT_EQ(wrong.run({ONNXC_INT64}), "Cast: element 0 is not a number: 'x'");
  Call to(onnxc_kernel_CastToString);
  to.in<float>({7}, {0.1f, 1, 1e-5f, 1e16f, 314.15926f, -0.0f, 123456792});
  ASSERT_EQ(to.run({ONNXC_STRING}), "");
  EXPECT_EQ(to.stringValues(), (Strings{"0.1", "1.0", "1e-05", "1e+16", "314.15927", "-0.0", "123456790.0"}));
}

TEST(TfIdf, Skips) {
  Call call(onnxc_kernel_TfIdfVectorizer);
  call.in<int32_t>({12}, {1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});
  call.attr("mode", "TF").attr("min_gram_length", 2).attr("max_gram_length", 2).attr("max_skip_count", 5);
  call.ints("ngram_counts", {0, 4}).ints("ngram_indexes", {0, 1, 2, 3, 4, 5, 6});
  call.ints("pool_int64s", {2, 3, 5, 4, 5, 6, 7, 8, 6, 7});
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.values<float>(), (std::vector<float>{0, 0, 0, 0, 1, 3, 1}));
}
