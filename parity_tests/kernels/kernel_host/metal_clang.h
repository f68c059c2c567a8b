// The Metal that the kernels use, for clang's "C++ for OpenCL": its address spaces are checked as Metal's are.
#define device __global
#define constant __constant
#define threadgroup __local
#define thread __private
typedef unsigned int uint;
typedef unsigned long ulong;
typedef int int32_t;
typedef long int64_t;
typedef uint uint32_t;
typedef ulong size_t;
typedef float float2 __attribute__((ext_vector_type(2)));
typedef float float4 __attribute__((ext_vector_type(4)));
typedef float packed_float2 __attribute__((ext_vector_type(2), aligned(4)));
typedef uint uint3 __attribute__((ext_vector_type(3)));
struct complex64_t { float real, imag; };
enum class mem_flags { mem_none = 0, mem_device = 1, mem_threadgroup = 2 };
constexpr mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(int(a) | int(b)); }
extern "C" void host_barrier(int whole, int flags);
extern "C" float sqrtf(float);
extern "C" float logf(float);
extern "C" float expf(float);
#define threadgroup_barrier(flags) host_barrier(1, int(flags))
#define simdgroup_barrier(flags) host_barrier(0, int(flags))
template <class T, class S> T as_type(S s) { return __builtin_bit_cast(T, s); }
namespace metal {
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
namespace precise {
inline float sqrt(float a) { return sqrtf(a); }
inline float log(float a) { return logf(a); }
inline float exp(float a) { return expf(a); }
} }
using namespace metal;
#define KERNEL extern "C" __kernel
#define ENTRY(name) extern "C" __attribute__((no_sanitize("thread"))) void name(const __global ulong* args, const __global uint* at)
#define ARGUMENT(T, i) ((T)args[i])
