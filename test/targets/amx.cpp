// AMX for CPUs without it: a library that is loaded before a program (LD_PRELOAD) and does what AMX's instructions
// would, in a handler of the signals that they raise. Tiles belong to a thread. What the instructions refuse
// (shapes that do not fit, reserved bits) ends the program with a message.
//
// cpuid is made to fault (arch_prctl) and tells AMX beside what the CPU has; the system's permission to use tiles is
// granted, or with ONNXC_AMX=refused refused. ONNXC_AMX_LOG names a file that is told at the program's end how many
// products of tiles it computed.
#include <errno.h>
#include <immintrin.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;
constexpr long kSetCpuid = 0x1012, kRequestPermission = 0x1023, kTileData = 18;

struct Tiles {
  uint8_t palette;
  uint8_t rows[kTiles];
  uint16_t rowBytes[kTiles];
  alignas(64) uint8_t data[kTiles][kRows][kRowBytes];
};
thread_local Tiles tiles;
uint64_t products;
bool refused;

[[noreturn]] void fail(const char *what) {
  char text[200];
  int size = snprintf(text, sizeof text, "AMX: %s\n", what);
  [[maybe_unused]] ssize_t written = write(2, text, static_cast<size_t>(size));
  _exit(97);
}

long systemCall(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

// ---- what the instructions do ----

void configure(const uint8_t *shapes) {
  Tiles next = {};
  next.palette = shapes[0];
  if (next.palette > 1)
    fail("ldtilecfg of an unknown palette");
  if (next.palette == 1) {
    for (int i = 1; i < 16; ++i)
      if (shapes[i])
        fail("ldtilecfg with reserved bytes that are not zero");
    for (int i = 0; i < 16; ++i) {
      uint16_t rowBytes;
      memcpy(&rowBytes, shapes + 16 + 2 * i, 2);
      uint8_t rows = shapes[48 + i];
      if (rowBytes > kRowBytes || rows > kRows || (rows == 0) != (rowBytes == 0) || (i >= kTiles && rows))
        fail("ldtilecfg with shapes that cannot be");
      if (i < kTiles) {
        next.rows[i] = rows;
        next.rowBytes[i] = rowBytes;
      }
    }
  }
  tiles = next;
}

void storeConfiguration(uint8_t *shapes) {
  memset(shapes, 0, 64);
  shapes[0] = tiles.palette;
  memcpy(shapes + 16, tiles.rowBytes, sizeof tiles.rowBytes);
  memcpy(shapes + 48, tiles.rows, sizeof tiles.rows);
}

void needTile(int tile) {
  if (tiles.palette != 1 || tile >= kTiles || tiles.rows[tile] == 0)
    fail("a tile without a shape");
}

void zero(int tile) {
  needTile(tile);
  memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}

void load(int tile, uint64_t address, int64_t stride) {
  zero(tile);
  for (int row = 0; row < tiles.rows[tile]; ++row)
    memcpy(tiles.data[tile][row], reinterpret_cast<const void *>(address + static_cast<uint64_t>(row * stride)),
           tiles.rowBytes[tile]);
}

void store(int tile, uint64_t address, int64_t stride) {
  needTile(tile);
  for (int row = 0; row < tiles.rows[tile]; ++row)
    memcpy(reinterpret_cast<void *>(address + static_cast<uint64_t>(row * stride)), tiles.data[tile][row],
           tiles.rowBytes[tile]);
}

float flushed(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if (!(bits & 0x7f800000))
    bits &= 0x80000000;
  memcpy(&x, &bits, 4);
  return x;
}

float widened(const uint8_t *bfloat) {
  uint16_t half;
  memcpy(&half, bfloat, 2);
  uint32_t bits = uint32_t(half) << 16;
  float x;
  memcpy(&x, &bits, 4);
  return flushed(x);
}

void checkProduct(int sum, int left, int right) {
  needTile(sum);
  needTile(left);
  needTile(right);
  if (sum == left || sum == right || left == right)
    fail("a product of a tile with itself");
  if (tiles.rows[left] != tiles.rows[sum] || tiles.rowBytes[right] != tiles.rowBytes[sum] ||
      tiles.rowBytes[left] % 4 || tiles.rowBytes[right] % 4 || tiles.rowBytes[left] / 4 != tiles.rows[right])
    fail("a product of tiles whose shapes do not fit");
  __atomic_fetch_add(&products, 1, __ATOMIC_RELAXED);
}

void multiplyBytes(int sum, int left, int right, bool leftSigned, bool rightSigned) {
  checkProduct(sum, left, right);
  for (int row = 0; row < tiles.rows[sum]; ++row)
    for (int column = 0; column < tiles.rowBytes[sum] / 4; ++column) {
      uint32_t total;
      memcpy(&total, &tiles.data[sum][row][4 * column], 4);
      for (int word = 0; word < tiles.rows[right]; ++word)
        for (int i = 0; i < 4; ++i) {
          uint8_t a = tiles.data[left][row][4 * word + i], b = tiles.data[right][word][4 * column + i];
          int32_t x = leftSigned ? int8_t(a) : a, y = rightSigned ? int8_t(b) : b;
          total += static_cast<uint32_t>(x * y);
        }
      memcpy(&tiles.data[sum][row][4 * column], &total, 4);
    }
}

// Even and odd elements have sums of their own; each step is rounded to nearest, without denormal numbers.
__attribute__((target("fma"))) void multiplyBfloats(int sum, int left, int right) {
  checkProduct(sum, left, right);
  _mm_setcsr(0x1f80);
  for (int row = 0; row < tiles.rows[sum]; ++row)
    for (int column = 0; column < tiles.rowBytes[sum] / 4; ++column) {
      float even = 0, odd = 0, total;
      for (int word = 0; word < tiles.rows[right]; ++word) {
        const uint8_t *x = &tiles.data[left][row][4 * word], *y = &tiles.data[right][word][4 * column];
        even = flushed(__builtin_fmaf(widened(x), widened(y), even));
        odd = flushed(__builtin_fmaf(widened(x + 2), widened(y + 2), odd));
      }
      memcpy(&total, &tiles.data[sum][row][4 * column], 4);
      total = flushed(flushed(total) + flushed(even + odd));
      memcpy(&tiles.data[sum][row][4 * column], &total, 4);
    }
}

// ---- instructions ----

// Registers in the order of their numbers.
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct Instruction {
  uint8_t opcode, prefix; // 0: none, 1: 66, 2: f3, 3: f2
  int mod, reg, rm, vvvv;
  uint64_t base = 0; // of memory
  int64_t index = 0;
  int length;
};

// A VEX-encoded instruction of map 0f38 in 128 bits.
bool decode(const uint8_t *at, const greg_t *registers, Instruction &x) {
  if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || at[2] & 0x84)
    return false;
  bool r = !(at[1] & 0x80), i = !(at[1] & 0x40), b = !(at[1] & 0x20);
  x.prefix = at[2] & 3;
  x.vvvv = ~at[2] >> 3 & 15;
  x.opcode = at[3];
  if (x.opcode != 0x49 && x.opcode != 0x4b && x.opcode != 0x5c && x.opcode != 0x5e)
    return false;
  x.mod = at[4] >> 6;
  x.reg = (at[4] >> 3 & 7) + 8 * r;
  x.rm = at[4] & 7;
  x.length = 5;
  if (x.mod == 3) {
    x.rm += 8 * b;
    return true;
  }
  auto value = [&](int number) { return static_cast<uint64_t>(registers[kRegisters[number]]); };
  bool hasBase = true;
  int base = x.rm + 8 * b;
  if (x.rm == 4) {
    uint8_t sib = at[x.length++];
    int index = (sib >> 3 & 7) + 8 * i;
    base = (sib & 7) + 8 * b;
    hasBase = !((sib & 7) == 5 && x.mod == 0);
    if (index != 4)
      x.index = static_cast<int64_t>(value(index) << (sib >> 6));
  }
  bool fromHere = x.mod == 0 && x.rm == 5;
  int32_t displacement = 0;
  if (x.mod == 1) {
    displacement = static_cast<int8_t>(at[x.length++]);
  } else if (x.mod == 2 || fromHere || !hasBase) {
    memcpy(&displacement, at + x.length, 4);
    x.length += 4;
  }
  if (fromHere)
    x.base = reinterpret_cast<uint64_t>(at) + static_cast<uint64_t>(x.length);
  else if (hasBase)
    x.base = value(base);
  x.base += static_cast<uint64_t>(static_cast<int64_t>(displacement));
  return true;
}

bool execute(const Instruction &x) {
  bool isMemory = x.mod != 3;
  switch (x.opcode) {
  case 0x49: {
    uint64_t address = x.base + static_cast<uint64_t>(x.index);
    if (isMemory && x.reg == 0 && x.prefix == 0)
      configure(reinterpret_cast<const uint8_t *>(address));
    else if (isMemory && x.reg == 0 && x.prefix == 1)
      storeConfiguration(reinterpret_cast<uint8_t *>(address));
    else if (!isMemory && x.reg == 0 && x.rm == 0 && x.prefix == 0)
      tiles = {};
    else if (!isMemory && x.rm == 0 && x.prefix == 3)
      zero(x.reg);
    else
      return false;
    return true;
  }
  case 0x4b:
    if (!isMemory || x.rm != 4 || x.prefix == 0)
      return false;
    x.prefix == 2 ? store(x.reg, x.base, x.index) : load(x.reg, x.base, x.index);
    return true;
  case 0x5c:
    if (isMemory || x.prefix != 2)
      return false;
    multiplyBfloats(x.reg, x.rm, x.vvvv);
    return true;
  default:
    if (isMemory)
      return false;
    multiplyBytes(x.reg, x.rm, x.vvvv, /*leftSigned=*/x.prefix == 3 || x.prefix == 2,
                  /*rightSigned=*/x.prefix == 3 || x.prefix == 1);
    return true;
  }
}

// ---- signals ----

void giveUp(int number) { signal(number, SIG_DFL); }

void onIllegalInstruction(int number, siginfo_t *, void *context) {
  greg_t *registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
  Instruction x;
  if (!refused && decode(reinterpret_cast<const uint8_t *>(registers[REG_RIP]), registers, x) && execute(x))
    registers[REG_RIP] += x.length;
  else
    giveUp(number);
}

void onFault(int number, siginfo_t *info, void *context) {
  greg_t *registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
  const auto *at = reinterpret_cast<const uint8_t *>(registers[REG_RIP]);
  // A protection fault at a place that can be read, so not a jump into nowhere.
  if (info->si_code != SI_KERNEL || at[0] != 0x0f || at[1] != 0xa2)
    return giveUp(number);
  auto leaf = static_cast<uint32_t>(registers[REG_RAX]), subleaf = static_cast<uint32_t>(registers[REG_RCX]);
  uint32_t a = leaf, b, c = subleaf, d;
  systemCall(SYS_arch_prctl, kSetCpuid, 1, 0, 0, 0, 0);
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  systemCall(SYS_arch_prctl, kSetCpuid, 0, 0, 0, 0, 0);
  if (leaf == 7 && subleaf == 0)
    d |= 1u << 22 | 1u << 24 | 1u << 25; // bf16, tiles, int8
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) void start() {
  const char *mode = getenv("ONNXC_AMX");
  refused = mode && !strcmp(mode, "refused");
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = onIllegalInstruction;
  sigaction(SIGILL, &action, nullptr);
  action.sa_sigaction = onFault;
  sigaction(SIGSEGV, &action, nullptr);
  if (systemCall(SYS_arch_prctl, kSetCpuid, 0, 0, 0, 0, 0) != 0)
    fail("cpuid cannot be made to fault on this machine");
}

__attribute__((destructor)) void finish() {
  const char *path = getenv("ONNXC_AMX_LOG");
  FILE *log = path ? fopen(path, "w") : nullptr;
  if (!log)
    return;
  fprintf(log, "%llu products of tiles\n", static_cast<unsigned long long>(products));
  fclose(log);
}

} // namespace

// In place of the C library's: the permission to use tiles.
extern "C" long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long args[6];
  for (long &arg : args)
    arg = va_arg(list, long);
  va_end(list);
  long result = number == SYS_arch_prctl && args[0] == kRequestPermission && args[1] == kTileData
                    ? (refused ? -EPERM : 0)
                    : systemCall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}
