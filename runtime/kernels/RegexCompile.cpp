// Compiles a pattern of RE2's syntax into the program of regex.h by recursive descent. A
// fragment's open ends are where the program goes on, so concatenation is adjacency.
#include <initializer_list>

#include "regex.h"
#include "text.h"

using namespace onnxc_k;

namespace {

constexpr int32_t kMaxInsts = 100000; // counted repetitions copy their operand
constexpr int32_t kMaxDepth = 200;
constexpr int32_t kMaxRepeat = 1000; // as RE2
constexpr uint32_t kMaxCodePoint = 0x10ffff;

struct Parser {
  onnxc_ctx *ctx;
  const onnxc_str &pattern;
  Regex regex = {};
  int64_t at = 0;
  int32_t depth = 0;
  bool ignoreCase = false, dotAll = false, multiLine = false;

  [[noreturn]] void fail(const char *what) {
    onnxc_fail(ctx, "RegexFullMatch: pattern '%.*s': %s at byte %lld", static_cast<int>(pattern.size), pattern.data,
               what, static_cast<long long>(at));
  }
  bool atEnd() const { return at >= pattern.size; }
  char peek() const { return atEnd() ? 0 : pattern.data[at]; }
  bool accept(char c) {
    if (atEnd() || pattern.data[at] != c)
      return false;
    ++at;
    return true;
  }
  bool acceptWord(const char *word) {
    auto size = static_cast<int64_t>(strlen(word));
    if (pattern.size - at < size || memcmp(pattern.data + at, word, static_cast<size_t>(size)) != 0)
      return false;
    at += size;
    return true;
  }
  uint32_t next() {
    if (atEnd())
      fail("it ends too early");
    return nextCodePoint(pattern.data, pattern.size, &at);
  }

  template <typename T> void grow(T *&items, int32_t size, int32_t &capacity) {
    if (size < capacity)
      return;
    capacity = capacity ? capacity * 2 : 64;
    T *larger = scratch<T>(ctx, capacity);
    if (size > 0)
      memcpy(larger, items, static_cast<size_t>(size) * sizeof(T));
    onnxc_free(ctx, items);
    items = larger;
  }
  // A new inst goes on with the one after it.
  int32_t emit(RegexInst::Op op) {
    if (regex.numInsts >= kMaxInsts)
      fail("it is too large");
    grow(regex.insts, regex.numInsts, regex.capacity);
    int32_t pc = regex.numInsts++;
    regex.insts[pc] = {op, false, regex.numRanges, 0, pc + 1, pc + 1};
    return pc;
  }
  // Makes room for one inst at pc; all that points behind it moves along.
  void insertAt(int32_t pc, RegexInst::Op op) {
    emit(op);
    memmove(regex.insts + pc + 1, regex.insts + pc, static_cast<size_t>(regex.numInsts - 1 - pc) * sizeof(RegexInst));
    for (int32_t i = pc + 1; i < regex.numInsts; ++i) {
      regex.insts[i].next += regex.insts[i].next >= pc;
      regex.insts[i].other += regex.insts[i].other >= pc;
    }
    regex.insts[pc] = {op, false, 0, 0, pc + 1, pc + 1};
  }
  // Appends a copy of [begin, end).
  void copy(int32_t begin, int32_t end) {
    int32_t shift = regex.numInsts - begin;
    for (int32_t i = begin; i < end; ++i) {
      int32_t pc = emit(regex.insts[i].op);
      RegexInst inst = regex.insts[i];
      inst.next += shift;
      inst.other += shift;
      regex.insts[pc] = inst;
    }
  }

  void addRange(uint32_t first, uint32_t last) {
    grow(regex.ranges, regex.numRanges, regex.rangeCapacity);
    regex.ranges[regex.numRanges++] = {first, last};
    if (!ignoreCase)
      return;
    for (uint32_t c = first; c <= last && c < 0x600; ++c)
      for (bool lower : {false, true}) {
        uint32_t other = lower ? toLower(c) : toUpper(c);
        grow(regex.ranges, regex.numRanges, regex.rangeCapacity);
        regex.ranges[regex.numRanges++] = {other, other};
      }
  }
  int32_t beginClass(bool negated) {
    int32_t pc = emit(RegexInst::Class);
    regex.insts[pc].negated = negated;
    return pc;
  }
  void endClass(int32_t pc) { regex.insts[pc].count = regex.numRanges - regex.insts[pc].ranges; }
  void literal(uint32_t c) {
    int32_t pc = beginClass(false);
    addRange(c, c);
    endClass(pc);
  }

  // The ranges of \d, \w, \s, or of what they leave out.
  void addPerlClass(char kind) {
    static const RegexRange kDigits[] = {{'0', '9'}};
    static const RegexRange kWords[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const RegexRange kSpaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
    const RegexRange *ranges = kDigits;
    int count = 1;
    char lower = static_cast<char>(kind | 0x20);
    if (lower == 'w') {
      ranges = kWords;
      count = 4;
    } else if (lower == 's') {
      ranges = kSpaces;
      count = 3;
    }
    addRanges(ranges, count, kind != lower);
  }
  void addRanges(const RegexRange *ranges, int count, bool complement) {
    uint32_t from = 0;
    for (int i = 0; i < count; ++i) {
      if (!complement)
        addRange(ranges[i].first, ranges[i].last);
      else if (ranges[i].first > from)
        addRange(from, ranges[i].first - 1);
      from = ranges[i].last + 1;
    }
    if (complement)
      addRange(from, kMaxCodePoint);
  }
  // "[:name:]" inside a class.
  bool posixClass() {
    static const struct {
      const char *name;
      int count;
      RegexRange ranges[4];
    } kClasses[] = {
        {"alnum", 3, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
        {"alpha", 2, {{'A', 'Z'}, {'a', 'z'}}},
        {"ascii", 1, {{0, 0x7f}}},
        {"blank", 2, {{'\t', '\t'}, {' ', ' '}}},
        {"cntrl", 2, {{0, 0x1f}, {0x7f, 0x7f}}},
        {"digit", 1, {{'0', '9'}}},
        {"graph", 1, {{'!', '~'}}},
        {"lower", 1, {{'a', 'z'}}},
        {"print", 1, {{' ', '~'}}},
        {"punct", 4, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
        {"space", 2, {{'\t', '\r'}, {' ', ' '}}},
        {"upper", 1, {{'A', 'Z'}}},
        {"word", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
        {"xdigit", 3, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    };
    int64_t start = at;
    if (!acceptWord("[:"))
      return false;
    bool complement = accept('^');
    for (const auto &entry : kClasses) {
      int64_t name = at;
      if (acceptWord(entry.name) && acceptWord(":]")) {
        addRanges(entry.ranges, entry.count, complement);
        return true;
      }
      at = name;
    }
    at = start;
    return false;
  }

  uint32_t hexDigits() {
    uint32_t value = 0;
    bool braces = accept('{');
    for (int digits = 0; braces ? peek() != '}' : digits < 2; ++digits) {
      uint32_t c = next();
      uint32_t lower = c | 0x20;
      if (c >= '0' && c <= '9')
        value = value * 16 + (c - '0');
      else if (lower >= 'a' && lower <= 'f')
        value = value * 16 + (lower - 'a' + 10);
      else
        fail("a hexadecimal digit is expected");
      if (value > kMaxCodePoint)
        fail("a code point is too large");
    }
    if (braces)
      accept('}');
    return value;
  }
  // After a backslash: a single character.
  uint32_t escapedCharacter() {
    uint32_t c = next();
    switch (c) {
    case 'a': return '\a';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case 'x': return hexDigits();
    case '0': return 0;
    }
    if (c < 0x80 && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
      fail("this escape sequence is not supported");
    return c;
  }
  bool isPerlClass(char c) const { return c != 0 && strchr("dDwWsS", c) != nullptr; }

  void bracketClass() {
    int32_t pc = beginClass(accept('^'));
    bool first = true;
    while (first || peek() != ']') {
      first = false;
      if (peek() == '[' && posixClass())
        continue;
      if (peek() == '\\' && at + 1 < pattern.size && isPerlClass(pattern.data[at + 1])) {
        addPerlClass(pattern.data[at + 1]);
        at += 2;
        continue;
      }
      uint32_t from = accept('\\') ? escapedCharacter() : next(), to = from;
      if (peek() == '-' && at + 1 < pattern.size && pattern.data[at + 1] != ']') {
        ++at;
        to = accept('\\') ? escapedCharacter() : next();
        if (to < from)
          fail("a range is empty");
      }
      addRange(from, to);
    }
    ++at;
    endClass(pc);
  }

  // "(?...": flags or the kind of a group; true if the group ends here, as in "(?i)".
  bool groupStart() {
    if (!accept('?'))
      return false;
    if (acceptWord("P<") || accept('<')) {
      if (peek() == '=' || peek() == '!')
        fail("look-behind is not supported");
      while (!accept('>'))
        next();
      return false;
    }
    bool value = true;
    while (true) {
      uint32_t c = next();
      switch (c) {
      case ':': return false;
      case ')': return true;
      case '-': value = false; break;
      case 'i': ignoreCase = value; break;
      case 's': dotAll = value; break;
      case 'U': break; // which of several matches is taken does not matter here
      case 'm': multiLine = value; break;
      default: fail("this kind of group is not supported");
      }
      if (multiLine)
        fail("multi-line mode is not supported");
    }
  }

  void group() {
    if (++depth > kMaxDepth)
      fail("groups are nested too deep");
    bool outerCase = ignoreCase, outerDot = dotAll;
    bool flagsOnly = groupStart();
    if (!flagsOnly) {
      alternation();
      if (!accept(')'))
        fail("')' is missing");
      ignoreCase = outerCase;
      dotAll = outerDot;
    }
    --depth;
  }

  void atom() {
    if (accept('(')) {
      group();
      return;
    }
    if (accept('[')) {
      bracketClass();
      return;
    }
    if (accept('.')) {
      int32_t pc = beginClass(true);
      if (!dotAll) {
        grow(regex.ranges, regex.numRanges, regex.rangeCapacity);
        regex.ranges[regex.numRanges++] = {'\n', '\n'};
      }
      endClass(pc);
      return;
    }
    if (accept('^')) {
      emit(RegexInst::Begin);
      return;
    }
    if (accept('$')) {
      emit(RegexInst::End);
      return;
    }
    if (peek() == '*' || peek() == '+' || peek() == '?')
      fail("there is nothing to repeat");
    if (!accept('\\')) {
      literal(next());
      return;
    }
    if (isPerlClass(peek())) {
      int32_t pc = beginClass(false);
      addPerlClass(pattern.data[at++]);
      endClass(pc);
    } else if (accept('A')) {
      emit(RegexInst::Begin);
    } else if (accept('z')) {
      emit(RegexInst::End);
    } else if (accept('b')) {
      emit(RegexInst::WordBoundary);
    } else if (accept('B')) {
      emit(RegexInst::NotWordBoundary);
    } else if (accept('Q')) {
      while (!atEnd() && !acceptWord("\\E"))
        literal(next());
    } else {
      literal(escapedCharacter());
    }
  }

  // "{2}", "{2,}", "{2,5}"; anything else is literal text.
  bool counts(int32_t &low, int32_t &high) {
    int64_t start = at;
    if (!accept('{'))
      return false;
    auto number = [&](int32_t &value) {
      if (peek() < '0' || peek() > '9')
        return false;
      value = 0;
      while (peek() >= '0' && peek() <= '9') {
        value = value * 10 + (pattern.data[at++] - '0');
        if (value > kMaxRepeat)
          fail("a repetition count is too large");
      }
      return true;
    };
    bool valid = number(low);
    high = low;
    if (valid && accept(',') && !number(high))
      high = -1;
    if (!valid || !accept('}')) {
      at = start;
      return false;
    }
    if (high >= 0 && high < low)
      fail("a repetition is empty");
    return true;
  }

  void star(int32_t begin) {
    insertAt(begin, RegexInst::Split);
    int32_t jump = emit(RegexInst::Jump);
    regex.insts[jump].next = begin;
    regex.insts[begin].other = jump + 1;
  }
  void optional(int32_t begin) {
    insertAt(begin, RegexInst::Split);
    regex.insts[begin].other = regex.numInsts;
  }

  void repetition() {
    int32_t begin = regex.numInsts;
    atom();
    while (true) {
      int32_t low = 0, high = 0, end = regex.numInsts;
      if (accept('*')) {
        star(begin);
      } else if (accept('+')) {
        int32_t split = emit(RegexInst::Split);
        regex.insts[split].next = begin;
      } else if (accept('?')) {
        optional(begin);
      } else if (peek() == '{' && counts(low, high)) {
        // x{2,4} is xx(x(x)?)?; without an upper limit xxx*.
        for (int32_t i = 1; i < low; ++i)
          copy(begin, end);
        int32_t size = end - begin, tail = regex.numInsts;
        if (high < 0) {
          if (low > 0)
            copy(begin, end);
          star(low > 0 ? tail : begin);
        } else if (low == 0 && high == 0) {
          regex.numInsts = begin;
        } else {
          int32_t more = high - (low > 0 ? low : 1);
          for (int32_t i = 0; i < more; ++i)
            copy(begin, end);
          if (low == 0)
            tail = begin;
          // From the last on, so that each encloses those behind it.
          for (int32_t i = (low == 0 ? more : more - 1); i >= 0; --i)
            optional(tail + i * size);
        }
      } else {
        return;
      }
      accept('?'); // lazy: the same for a full match
    }
  }

  void alternation() {
    int32_t lastJump = -1; // the jumps behind each alternative, linked by next until their target is known
    while (true) {
      int32_t begin = regex.numInsts;
      while (!atEnd() && peek() != '|' && peek() != ')')
        repetition();
      if (!accept('|'))
        break;
      insertAt(begin, RegexInst::Split);
      int32_t jump = emit(RegexInst::Jump);
      regex.insts[begin].other = jump + 1;
      regex.insts[jump].next = lastJump;
      lastJump = jump;
    }
    while (lastJump >= 0) {
      int32_t previous = regex.insts[lastJump].next;
      regex.insts[lastJump].next = regex.numInsts;
      lastJump = previous;
    }
  }
};

} // namespace

Regex onnxc_k::compileRegex(onnxc_ctx *ctx, const onnxc_str &pattern) {
  Parser parser = {ctx, pattern};
  parser.alternation();
  if (!parser.atEnd())
    parser.fail("')' has no '('");
  parser.emit(RegexInst::Match);
  return parser.regex;
}
