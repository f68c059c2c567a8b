"""Where the lanes of a group find their frames: in the signal itself, or in a copy where padding is involved."""

from __future__ import annotations

from typing import Any

from .runtime.compile import inner
from .runtime.vector import Kit, operation

PAD_MODES = {"constant": 0, "reflect": 1, "replicate": 2, "circular": 3}
# of what has no transpose
FORWARD_PAD_MODES = PAD_MODES | {"symmetric": 4}


@operation("target", "source", "count")
def copy(kit: Kit, target: Any, source: Any, count: Any) -> None:
    """Copy ``count`` bytes."""
    pointer = kit.pointer
    move = kit.builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, kit.index])
    arguments = [kit.builder.inttoptr(target, pointer), kit.builder.inttoptr(source, pointer), count]
    kit.builder.call(move, [*arguments, kit.false])


@operation("target", "target_step", "source", "source_step", "count")
def spread_pairs(kit: Kit, target: Any, target_step: Any, source: Any, source_step: Any, count: Any) -> None:
    """Copy ``count`` complex numbers, of so many bytes from one to the next."""
    with kit.loop(count) as i:
        kit.copy_pair(kit.at(source, kit.times(i, source_step)), kit.at(target, kit.times(i, target_step)))


@operation("address", returns="stored")
def peek(kit: Kit, address: Any) -> Any:
    """The stored number at an address."""
    return kit.peek(address)


@operation("address", "value:stored")
def poke(kit: Kit, address: Any, value: Any) -> None:
    """Store a number at an address."""
    kit.poke(address, value)


@inner
def source_index(i, length, mode):
    """Sample that stands at position ``i`` of the padded signal, ``-1`` for silence."""
    if 0 <= i < length:
        return i
    if mode == 1:
        return -i if i < 0 else 2 * (length - 1) - i
    if mode == 2:
        return 0 if i < 0 else length - 1
    if mode == 3:
        return i + length if i < 0 else i - length
    if mode == 4:
        i %= 2 * length
        return min(i, 2 * length - 1 - i)
    return -1


@inner
def copy_frame(real, stored, size, target, row, stride, length, start, n, mode):
    """Copy ``n`` samples from position ``start`` of the padded signal at ``row``; ``stride`` bytes a sample."""
    first, last = max(0, min(n, -start)), max(0, min(n, length - start))
    for i in range(first):
        j = source_index(start + i, length, mode)
        poke(real, stored, target + size * i, peek(real, stored, row + stride * j) if j >= 0 else stored - stored)
    if stride == size:
        if last > first:
            copy(real, stored, target + size * first, row + size * (start + first), size * (last - first))
    else:
        for i in range(first, last):
            poke(real, stored, target + size * i, peek(real, stored, row + stride * (start + i)))
    for i in range(max(first, last), n):
        j = source_index(start + i, length, mode)
        poke(real, stored, target + size * i, peek(real, stored, row + stride * j) if j >= 0 else stored - stored)


@inner
def find_frames(real, stored, size, lanes, group, valid, signal, frames, hop, n, scratch, scratch_row):
    """Address of the first lane's frame and bytes from lane to lane.

    ``group`` is the first lane's frame, counted through all rows of the signal; lanes beyond ``valid`` repeat the last.
    ``signal`` is ``(address, bytes a row, bytes a sample, length, samples before the first, mode)``.
    """
    address, row_bytes, stride, length, left, mode = signal
    row, frame = divmod(group, frames)
    start = frame * hop - left
    inside = start >= 0 and start + (lanes - 1) * hop + n <= length
    if inside and valid == lanes and frame + lanes <= frames and stride == size:
        return address + row * row_bytes + start * size, hop * size
    for lane in range(lanes):
        row, frame = divmod(group + min(lane, valid - 1), frames)
        target = scratch + lane * scratch_row
        copy_frame(real, stored, size, target, address + row * row_bytes, stride, length, frame * hop - left, n, mode)
    return scratch, scratch_row
