// The Metal that the kernels use, for any C++ compiler: address spaces are not checked.
#include <math.h>
#include <stdint.h>
#include <string.h>
#define device
#define constant
#define threadgroup
#define thread
typedef unsigned int uint;
typedef unsigned long ulong;
struct packed_float2 { float x, y; packed_float2(float a, float b) : x(a), y(b) {} template <class T> packed_float2(T a) : x(a.x), y(a.y) {} };
struct float2 { float x, y; float2() = default; float2(float a, float b) : x(a), y(b) {} float2(packed_float2 a) : x(a.x), y(a.y) {} };
inline float2 operator+(float2 a, float2 b) { return float2(a.x + b.x, a.y + b.y); }
inline float2 operator-(float2 a, float2 b) { return float2(a.x - b.x, a.y - b.y); }
inline float2 operator*(float2 a, float b) { return float2(a.x * b, a.y * b); }
struct float4 { float x, y, z, w; };
struct uint3 { uint x, y, z; };
struct complex64_t { float real, imag; };
struct mem_flags { static const int mem_none = 0, mem_device = 1, mem_threadgroup = 2; };
extern "C" void host_barrier(int whole, int flags);
#define threadgroup_barrier(flags) host_barrier(1, flags)
#define simdgroup_barrier(flags) host_barrier(0, flags)
template <class T, class S> T as_type(S s) { T t; memcpy(&t, &s, sizeof t); return t; }
namespace metal {
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
namespace precise {
inline float sqrt(float a) { return sqrtf(a); }
inline float log(float a) { return logf(a); }
inline float exp(float a) { return expf(a); }
} }
#define KERNEL static
#define ENTRY(name) extern "C" __attribute__((no_sanitize("thread"))) void name(const ulong* args, const uint* at)
#define ARGUMENT(T, i) ((T)args[i])
