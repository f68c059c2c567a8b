"""CUDA programs compiled and loaded: all that knows ``cuda.bindings``, which torch's CUDA builds bring along."""

from __future__ import annotations

import functools
import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

from mlx_spectro import caches, interrupts

logger = logging.getLogger("mlx_spectro.compat")
_DIGEST = hashlib.sha256().digest_size


# statuses of a device that was reset, or on which a kernel of anybody's failed
_LOST = frozenset((4, 201, 214, 400, 700, 702, 709, 710, *range(714, 720)))


class CudaError(RuntimeError):
    """The driver or the compiler refuses."""


class LostDevice(CudaError):
    """The driver refuses whatever this process asks of a device."""


class Bindings(NamedTuple):
    """The driver's functions, the compiler's, and the compiler's version."""

    driver: Any
    nvrtc: Any
    version: tuple[int, int]


@functools.cache
def bindings() -> Bindings | str:
    """What kernels are compiled and launched by, or why there is nothing."""
    try:
        from cuda.bindings import driver, nvrtc
    except ImportError as error:
        return f"kernels are launched by cuda.bindings, which is not installed ({error}): pip install cuda-bindings"
    try:
        version: Any = checked(nvrtc.nvrtcVersion())
    except (RuntimeError, OSError) as error:
        return f"CUDA's compiler cannot be loaded ({error}): pip install nvidia-cuda-nvrtc, or nvidia-cuda-nvrtc-cu12"
    try:
        checked(driver.cuDriverGetVersion())
    except (RuntimeError, OSError) as error:
        return f"NVIDIA's driver cannot be loaded ({error}): install it anew"
    return Bindings(driver, nvrtc, version)


def present() -> Bindings:
    """The bindings, where :func:`bindings` has found that there are some."""
    found = bindings()
    assert isinstance(found, Bindings), found
    return found


def checked(result: tuple[Any, ...]) -> Any:
    """What a function of ``cuda.bindings`` returns, without its status.

    Raises:
        CudaError: the status is one of failure.
    """
    status, *values = result
    if int(status):
        name = getattr(status, "name", str(status))
        if int(status) in _LOST:
            raise LostDevice(f"{name}: the device was reset, or a kernel failed on it; a new process can use it again")
        raise CudaError(name)
    return values[0] if len(values) == 1 else tuple(values)


def enter(index: int) -> None:
    """Make the context that torch uses on a device the calling thread's."""
    driver = present().driver
    device = checked(driver.cuDeviceGet(index))
    checked(driver.cuCtxSetCurrent(checked(driver.cuDevicePrimaryCtxRetain(device))))


def slowness_of_doubles(index: int) -> int:
    """How many times as many operations a device does in single precision as in double."""
    driver = present().driver
    ratio = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO
    return int(checked(driver.cuDeviceGetAttribute(ratio, checked(driver.cuDeviceGet(index)))))


def load(program: str, name: str, capability: tuple[int, int]) -> Any:
    """The function ``name`` of a program, compiled for devices of a capability, on the device of the present context.

    It is never unloaded: a captured graph may hold it.

    Raises:
        CudaError: the program does not compile, or the driver does not load it.
    """
    driver = present().driver
    code = binary(program, name, capability)
    try:
        module = checked(driver.cuModuleLoadData(code))
    except CudaError as error:
        version = checked(driver.cuDriverGetVersion())
        known = f"{version // 1000}.{version % 1000 // 10}"
        raise type(error)(f"{error} (the driver knows CUDA {known}: where the compiler is newer, update it)") from None
    return checked(driver.cuModuleGetFunction(module, name.encode()))


def binary(program: str, name: str, capability: tuple[int, int]) -> bytes:
    """A program compiled, by this process or by one before it."""
    options = _options(capability)
    parts = [program.encode(), *options, repr(present().version).encode()]
    file = _file(hashlib.sha256(b"\0".join(parts)).hexdigest())
    found = None if file is None else _read(file)
    if found is None:
        found = _compiled(program, name, options)
        if file is not None:
            _write(file, found)
    return found


def _options(capability: tuple[int, int]) -> list[bytes]:
    """The compiler's options: code of the device, or where the compiler is older than that, what the driver can use."""
    number = 10 * capability[0] + capability[1]
    known = checked(present().nvrtc.nvrtcGetSupportedArchs())
    kind, best = ("sm", number) if number in known else ("compute", max([n for n in known if n < number] or known))
    return [f"--gpu-architecture={kind}_{best}".encode(), b"-std=c++17"]


def _compiled(program: str, name: str, options: list[bytes]) -> bytes:
    nvrtc = present().nvrtc
    logger.info("compiling the CUDA kernel %s", name)
    handle = checked(nvrtc.nvrtcCreateProgram(program.encode(), f"{name}.cu".encode(), 0, [], []))
    try:
        (status,) = nvrtc.nvrtcCompileProgram(handle, len(options), options)
        if int(status):
            said = bytes(checked(nvrtc.nvrtcGetProgramLogSize(handle)))
            checked(nvrtc.nvrtcGetProgramLog(handle, said))
            raise CudaError(f"GPU kernel {name} does not compile: {said.rstrip(bytes(1)).decode(errors='replace')}")
        size, get = nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN
        if b"=compute_" in options[0]:
            size, get = nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX
        code = bytes(checked(size(handle)))
        checked(get(handle, code))  # it writes into these bytes
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(handle)


def _file(key: str) -> Path | None:
    """Where a binary is kept: in a folder that nobody but us can write to. None where there is none."""
    ours = caches.folder()
    if ours is None:
        _say_not_kept("there is no home folder to keep them in")
        return None
    try:
        caches.make_private(ours / "cuda-kernels")
    except OSError as error:
        if interrupts.by_handler(error):
            raise
        _say_not_kept(str(error))
        return None
    return ours / "cuda-kernels" / f"{key}.bin"


def _read(file: Path) -> bytes | None:
    """The binary in a file, None where it is not whole."""
    try:
        kept = file.read_bytes()
    except OSError as error:
        if interrupts.by_handler(error):
            raise
        return None
    code = kept[_DIGEST:]
    return code if code and hashlib.sha256(code).digest() == kept[:_DIGEST] else None


def _write(file: Path, code: bytes) -> None:
    try:
        caches.write_whole(file, hashlib.sha256(code).digest() + code)
    except OSError as error:
        if interrupts.by_handler(error):
            raise
        _say_not_kept(str(error))


@functools.cache
def _say_not_kept(problem: str) -> None:
    logger.warning("compiled CUDA kernels are not kept, every process compiles them anew: %s", problem)
