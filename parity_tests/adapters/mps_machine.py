"""A Mac, as far as can be.

Every CPU tensor says that it lies on MPS. Shaders are compiled for this machine's processor, of nothing but the text
that torch is given, and run on nothing but the arguments of a call.
"""

from __future__ import annotations

import contextlib
import math
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.torch_version import TorchVersion
from torch.utils._cpp_embed_headers import _embed_headers

from mlx_spectro.compat.arrays import torch_launch, torch_mps

from ..kernels.kernel_host import host

# what Metal has room for: arguments, threads of a threadgroup, threads of a grid along an axis, threadgroup memory
BUFFERS, _GROUP, _GRID, _SHARED = 31, 1024, (1 << 32) - 1, 32768
_TENSORS = {"float": torch.float32, "float2": torch.complex64}
# as torch passes Python's numbers
_NUMBERS: dict[str, tuple[type, Any]] = {"k_long": (int, np.int64), "float": (float, np.float32)}
# reading values of a tensor waits for the GPU
_READS = ("numpy", "item", "tolist", "cpu", "__bool__", "__float__", "__int__")


class Machine:
    """What torch says of its device, and its compiler of shaders.

    Attributes:
        compiled, launched: Names of kernels, in order.
        waited: How often the device was waited for.
        error: What the compiler raises, if anything.
        most_threads: Threads of a kernel's threadgroup.
    """

    device, key = "mps:0, our kernels", "mps:a chip|torch"

    def __init__(self) -> None:
        self.compiled: list[str] = []
        self.launched: list[str] = []
        self.waited, self.most_threads = 0, _GROUP
        self.error: Exception | None = None
        self.stream = threading.Lock()  # torch has one for all threads

    @staticmethod
    def put(x: torch.Tensor) -> Any:
        """``x`` on the GPU."""
        return x

    def launcher(self) -> Any:
        """What computes on the device."""
        return torch_mps.launcher()

    def wait(self) -> None:
        """What waits for the device."""
        self.waited += 1

    def compile_shader(self, source: str) -> Any:
        """What ``torch.mps.compile_shader`` is."""
        if self.error is not None:
            raise self.error
        # torch puts its own headers in place of lines that name them
        headers = Path(torch.__file__).parent / "include"
        assert _embed_headers([f"{line}\n" for line in source.split("\n")], [headers], set()) == f"{source}\n"
        return _Library(self, source)


class _Library:
    """A program, which has its kernels' functions by their names."""

    def __init__(self, machine: Machine, source: str) -> None:
        shader = _Shader(machine, source, weakref.ref(self))
        machine.compiled.append(shader.name)
        setattr(self, shader.name, shader)


class _Shader:
    """A kernel's function."""

    def __init__(self, machine: Machine, source: str, library: weakref.ref[_Library]) -> None:
        self._machine, self._program, self._library = machine, host.Compiled(source), library
        assert self._program.shared_bytes <= _SHARED
        self.name, parameters = host.signature(source)
        buffers = re.findall(r"((?:const )?(?:device|constant) \w+[*&]) \w+ \[\[buffer\((\d+)\)\]\]", parameters)
        self._kinds = [kind for kind, _ in buffers]
        assert [int(at) for _, at in buffers] == list(range(len(buffers)))
        assert len(buffers) <= BUFFERS
        assert len(buffers) + 2 == len(parameters.split(", "))  # and the thread's and the threadgroup's place

    @property
    def max_threads_per_threadgroup(self) -> int:
        return self._machine.most_threads

    def __call__(self, *arguments: Any, threads: tuple[int, ...], group_size: tuple[int, ...]) -> None:
        assert self._library() is not None
        assert len(threads) == len(group_size) == 3
        assert all(0 < count <= _GRID for count in threads)
        assert math.prod(group_size) == group_size[0] <= self._machine.most_threads
        # a kernel's threads meet at barriers: no threadgroup may have fewer
        assert not any(count % size for count, size in zip(threads, group_size, strict=True))
        inputs: list[host.Memory] = []
        outputs: list[host.Memory] = []
        numbers: list[Any] = []  # alive until the kernel has run
        for kind, argument in zip(self._kinds, arguments, strict=True):
            *space, name = kind[:-1].split()
            if space == ["constant"]:
                python, width = _NUMBERS[name]
                assert type(argument) is python
                numbers.append(np.array(argument, width))
                inputs.append(host.Memory(numbers[-1].ctypes.data, numbers[-1].nbytes))
                continue
            assert argument.dtype == _TENSORS[name]
            assert argument.is_contiguous()
            assert not (argument.is_conj() or argument.is_neg())
            memory = host.Memory(argument.data_ptr(), argument.nbytes)
            assert memory.begin not in [other.begin for other in outputs]
            assert space == ["device"] or not outputs  # outputs are the last
            (outputs if space == ["device"] else inputs).append(memory)
        assert not {memory.begin for memory in outputs} & {memory.begin for memory in inputs}
        groups = threads[0] // group_size[0], threads[1], threads[2]
        with self._machine.stream:
            assert self._program.launch(inputs, outputs, groups, group_size[0]) == {}
            self._machine.launched.append(self.name)


class _Torch:
    """torch, but for what it would do on the device."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self.__version__ = machine, TorchVersion("2.11.0")
        self.mps = SimpleNamespace(compile_shader=machine.compile_shader, synchronize=machine.wait)
        self.backends = SimpleNamespace(mps=SimpleNamespace(get_name=lambda: "a chip"))

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def empty_strided(shape: Any, strides: Any, dtype: Any, device: Any) -> Any:
        assert device == torch.device("mps", 0)
        return torch.empty_strided(shape, strides, dtype=dtype)

    def from_numpy(self, values: Any) -> Any:
        def to(device: Any) -> Any:
            self._machine.wait()
            assert device == torch.device("mps", 0)
            return torch.from_numpy(values.copy())

        return SimpleNamespace(to=to)


def _counting(machine: Machine, read: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        machine.wait()
        return read(*args, **kwargs)

    return counted


@contextlib.contextmanager
def machine(patch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine with such a GPU."""
    mac = Machine()
    for module in (torch_launch, torch_mps):
        patch.setattr(module, "torch", _Torch(mac))
    patch.setattr(torch.Tensor, "is_mps", property(lambda tensor: tensor.device.type == "cpu"))
    patch.setattr(torch.Tensor, "is_cpu", property(lambda _tensor: False))
    for name in _READS:
        patch.setattr(torch.Tensor, name, _counting(mac, getattr(torch.Tensor, name)))
    torch_mps._launcher.cache_clear()
    yield mac
    torch_mps._launcher.cache_clear()
