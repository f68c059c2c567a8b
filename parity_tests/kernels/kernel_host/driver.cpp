// Runs a kernel's threadgroups one after another on one core. Each GPU thread is a fiber that runs until its next barrier;
// the compiler's -fsanitize=thread calls, which this file answers, show every access to memory.
#include <link.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <random>
#include <vector>

namespace {

constexpr size_t STACK = 256 << 10;
constexpr int SIMD = 32;
enum Scope { SIMDGROUP, THREADGROUP };
enum Flags { DEVICE = 1, SHARED = 2 };
enum State { RUNNING, WAITING, DONE };

// Of the barriers that a thread has passed, how many order memory of one kind, over the simdgroup and over the threadgroup.
struct Clock { uint32_t simdgroup, threadgroup; };

struct Fiber {
  jmp_buf resume;
  ucontext_t context;
  char* stack;
  bool started;
  State state;
  int scope, flags;
  void* site;
  Clock device, shared;
};

// The last access to a word, and whether more than one thread or simdgroup made it since the last barrier.
struct Access { uint64_t group; Clock clock; int thread; bool threads, simdgroups; };
struct Word { Access write, read; };

// Memory that a kernel may touch, and what is known of each word of it.
struct Range { uintptr_t begin, end; bool shared; Word* words; };

typedef void (*Entry)(const uint64_t* arguments, const uint32_t* at);
struct Findings { uint64_t races, divergences, outside, uninitialised; };

std::vector<Fiber> fibers;
std::vector<Range> ranges;
std::vector<std::pair<uintptr_t, uintptr_t>> constants;
jmp_buf scheduler;
Entry entry;
const uint64_t* arguments;
uint32_t position[6];  // of the running thread in its threadgroup, and of the threadgroup in the grid
uint32_t size[3];
int running;
uint64_t group, first_group;  // numbered over all launches
Findings found;

void report(uint64_t& count, const char* what, uintptr_t address, int other) {
  if (count++ < 3)
    fprintf(stderr, "%s: thread %d of threadgroup (%u %u %u), address %#lx, other thread %d\n", what, running, position[3],
            position[4], position[5], (unsigned long)address, other);
}

void body() {
  entry(arguments, position);
  fibers[running].state = DONE;
  _longjmp(scheduler, 1);
}

void run(int index) {
  running = index;
  position[0] = index % size[0];
  position[1] = index / size[0] % size[1];
  position[2] = index / (size[0] * size[1]);
  Fiber& fiber = fibers[index];
  if (_setjmp(scheduler)) return;
  if (fiber.started) _longjmp(fiber.resume, 1);
  fiber.started = true;
  setcontext(&fiber.context);
}

void pass(Fiber& fiber) {
  fiber.state = RUNNING;
  for (auto [flag, clock] : {std::pair<int, Clock*>{DEVICE, &fiber.device}, {SHARED, &fiber.shared}}) {
    if (!(fiber.flags & flag)) continue;
    clock->simdgroup++;
    clock->threadgroup += fiber.scope == THREADGROUP;
  }
}

// Lets the threads from..to pass if all of them wait at one barrier of this scope.
bool release(int from, int to, Scope scope) {
  const Fiber& head = fibers[from];
  for (int i = from; i < to; i++) {
    const Fiber& fiber = fibers[i];
    if (fiber.state != WAITING || fiber.scope != scope || fiber.site != head.site || fiber.flags != head.flags) return false;
  }
  for (int i = from; i < to; i++) pass(fibers[i]);
  return true;
}

void start(Fiber& fiber) {
  if (!fiber.stack) fiber.stack = (char*)malloc(STACK);
  char* stack = fiber.stack;
  fiber = Fiber();
  fiber.stack = stack;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack;
  fiber.context.uc_stack.ss_size = STACK;
  makecontext(&fiber.context, body, 0);
}

void run_group(int threads, int order, std::mt19937& random) {
  group++;
  for (const Range& range : ranges)
    if (range.shared) memset((void*)range.begin, 0xFF, range.end - range.begin);  // NaN, as memory holds anything at first
  std::vector<int> turn(threads);
  for (int i = 0; i < threads; i++) {
    turn[i] = order == 1 ? threads - 1 - i : i;
    start(fibers[i]);
  }
  for (;;) {
    if (order > 1) std::shuffle(turn.begin(), turn.end(), random);
    for (int i : turn)
      if (fibers[i].state == RUNNING) run(i);
    auto state_of_all = [&](State state) {
      return std::all_of(turn.begin(), turn.end(), [&](int i) { return fibers[i].state == state; });
    };
    if (state_of_all(DONE)) return;
    bool released = release(0, threads, THREADGROUP);
    for (int i = 0; i < threads && !released; i += SIMD) {
      int end = std::min(i + SIMD, threads);
      while (i < threads && release(i, end, SIMDGROUP)) { released = true; i += SIMD; end = std::min(i + SIMD, threads); }
    }
    if (released) continue;
    report(found.divergences, "barrier that not all threads reach", 0, -1);
    for (int i = 0; i < threads; i++)
      if (fibers[i].state == WAITING) pass(fibers[i]);
  }
}

bool ordered(const Access& before, const Fiber& now, bool shared) {
  const Clock& clock = shared ? now.shared : now.device;
  if (before.clock.threadgroup != clock.threadgroup) return true;
  if (before.simdgroups || before.thread / SIMD != running / SIMD) return false;
  return before.clock.simdgroup != clock.simdgroup || (before.thread == running && !before.threads);
}

void touch(Word& word, uintptr_t address, bool write, bool shared) {
  const Fiber& now = fibers[running];
  const bool written = word.write.group == group, read = word.read.group == group;
  if (shared) {
    if (!write && !written) report(found.uninitialised, "read of unwritten threadgroup memory", address, -1);
  } else {
    if (word.write.group >= first_group && word.write.group < group)
      report(found.races, "word that another threadgroup wrote", address, word.write.thread);
    if (write && word.read.group >= first_group && word.read.group < group)
      report(found.races, "write to a word that another threadgroup read", address, word.read.thread);
  }
  if (written && !ordered(word.write, now, shared)) report(found.races, "race with a write", address, word.write.thread);
  if (write && read && !ordered(word.read, now, shared)) report(found.races, "race with a read", address, word.read.thread);
  const Clock& clock = shared ? now.shared : now.device;
  Access& access = write ? word.write : word.read;
  bool threads = false, simdgroups = false;
  if (!write && read && access.clock.threadgroup == clock.threadgroup) {
    simdgroups = access.simdgroups || access.thread / SIMD != running / SIMD;
    threads = access.clock.simdgroup == clock.simdgroup && (access.threads || access.thread != running);
  }
  access = {group, clock, running, threads, simdgroups};
}

// Constants of the kernel's own program: the part of it that nobody can write.
int find_constants(dl_phdr_info* info, size_t, void*) {
  std::vector<std::pair<uintptr_t, uintptr_t>> parts;
  bool own = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& part = info->dlpi_phdr[i];
    const uintptr_t begin = info->dlpi_addr + part.p_vaddr, end = begin + part.p_memsz;
    if (part.p_type != PT_LOAD) continue;
    own = own || ((uintptr_t)entry >= begin && (uintptr_t)entry < end);
    if (!(part.p_flags & PF_W)) parts.push_back({begin, end});
  }
  if (own) constants = parts;
  return own;
}

void access(uintptr_t address, size_t bytes, bool write) {
  if (fibers.empty()) return;
  const uintptr_t stack = (uintptr_t)fibers[running].stack;
  if (address >= stack && address < stack + STACK) return;
  for (const Range& range : ranges) {
    if (address < range.begin || address + bytes > range.end) continue;
    for (uintptr_t at = address; at < address + bytes; at += 4) touch(range.words[(at - range.begin) / 4], at, write, range.shared);
    return;
  }
  for (const auto& [begin, end] : constants)
    if (!write && address >= begin && address + bytes <= end) return;
  report(found.outside, write ? "write outside every array" : "read outside every array", address, -1);
}

}  // namespace

extern "C" {

// Memory of `bytes` bytes that kernels may use from now on. What is known of it takes memory where it is touched only.
void host_range(void* begin, size_t bytes, int shared) {
  const size_t words = (bytes + 3) / 4 * sizeof(Word);
  void* known = mmap(nullptr, words, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ranges.push_back({(uintptr_t)begin, (uintptr_t)begin + bytes, shared != 0, (Word*)known});
}

void host_forget() {
  for (const Range& range : ranges) munmap(range.words, (range.end - range.begin + 3) / 4 * sizeof(Word));
  ranges.clear();
}

// Words of a range that the last launch left unwritten.
uint64_t host_unwritten(void* begin) {
  for (const Range& range : ranges) {
    if (range.begin != (uintptr_t)begin) continue;
    uint64_t count = 0;
    for (size_t i = 0; i < (range.end - range.begin) / 4; i++) count += range.words[i].write.group < first_group;
    return count;
  }
  return UINT64_MAX;
}

// Threads run in order 0 forward, 1 reverse, else shuffled after every barrier with `order` as seed.
void host_launch(Entry kernel, const uint64_t* args, const uint32_t* groups, const uint32_t* threads, int order, Findings* out) {
  entry = kernel;
  arguments = args;
  std::copy(threads, threads + 3, size);
  found = Findings();
  dl_iterate_phdr(find_constants, nullptr);
  first_group = group + 1;
  std::mt19937 random(order);
  const int count = threads[0] * threads[1] * threads[2];
  if ((int)fibers.size() < count) fibers.resize(count);
  for (position[5] = 0; position[5] < groups[2]; position[5]++)
    for (position[4] = 0; position[4] < groups[1]; position[4]++)
      for (position[3] = 0; position[3] < groups[0]; position[3]++) run_group(count, order, random);
  *out = found;
}

void host_barrier(int whole, int flags) {
  Fiber& fiber = fibers[running];
  fiber.state = WAITING;
  fiber.scope = whole ? THREADGROUP : SIMDGROUP;
  fiber.flags = flags;
  fiber.site = __builtin_return_address(0);
  if (!_setjmp(fiber.resume)) _longjmp(scheduler, 1);
}

#define HOOKS(n) \
  void __tsan_read##n(void* p) { access((uintptr_t)p, n, false); } \
  void __tsan_write##n(void* p) { access((uintptr_t)p, n, true); } \
  void __tsan_unaligned_read##n(void* p) { access((uintptr_t)p, n, false); } \
  void __tsan_unaligned_write##n(void* p) { access((uintptr_t)p, n, true); }
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
void __tsan_read_range(void* p, size_t n) { access((uintptr_t)p, n, false); }
void __tsan_write_range(void* p, size_t n) { access((uintptr_t)p, n, true); }
void* __tsan_memcpy(void* to, const void* from, size_t n) {
  access((uintptr_t)from, n, false);
  access((uintptr_t)to, n, true);
  return memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, size_t n) {
  access((uintptr_t)from, n, false);
  access((uintptr_t)to, n, true);
  return memmove(to, from, n);
}
void* __tsan_memset(void* to, int value, size_t n) {
  access((uintptr_t)to, n, true);
  return memset(to, value, n);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}
