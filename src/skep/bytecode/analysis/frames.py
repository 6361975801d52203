"""Registers and stack as the interpreter knows them where a block begins."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from skep.bytecode.analysis.values import (
    EVERY_KIND,
    FRAME,
    MASK64,
    OUTER,
    UNKNOWN,
    Number,
    Pointer,
    Value,
    constants,
    join,
    of_constants,
    widened,
)

SLOT = 8  # bytes


class Parts(NamedTuple):
    """A slot that was filled by stores of less than eight bytes: numbers only.

    Attributes:
        entries: (offset in the slot, bytes, value), without overlaps, ascending.
    """

    entries: tuple[tuple[int, int, Value], ...]


@dataclass(slots=True)
class Escapes:
    """Kinds of pointers that functions leave in their stacks, for those that read other stacks.

    A callee or callback may find any of them behind a pointer into the stack of its caller.

    Attributes:
        kinds: taken as given while functions are interpreted.
        found: seen being stored.
        are_read: some function read a stack it cannot see into.
    """

    kinds: int = 0
    found: int = 0
    are_read: bool = False

    def note(self, kinds: int) -> None:
        """A pointer of one of ``kinds`` is stored on a stack."""
        self.found |= kinds | (OUTER if kinds & FRAME else 0)

    def read(self) -> Value:
        """What a load of eight bytes from somewhere on some stack gives."""
        self.are_read = True
        return Pointer(self.kinds) if self.kinds else UNKNOWN

    def is_settled(self) -> bool:
        """Whether what was taken as given covers what was seen; else it grows, to the end."""
        if not self.are_read or not self.found & ~self.kinds:
            return True
        self.kinds = EVERY_KIND if self.kinds else self.found
        return False


class Dynptr(NamedTuple):
    """A dynptr, by the kinds of memory it may stand for."""

    kinds: int


Held = Value | Parts | Dynptr
"""What a slot of the stack may hold."""

Stack = dict[int, Held]
"""Slots of eight bytes by offset from r10; a missing one is a number nobody knows."""


@dataclass(slots=True)
class FrameState:
    """Registers and stack at the start of a block.

    Attributes:
        stack: what is known of the stack.
        is_open: a called function may have written pointers into the stack.
    """

    registers: list[Value]
    stack: Stack
    is_open: bool = False
    visits: int = 0

    def join_stack(self, new: Stack, missing: Value, *, wide: bool) -> bool:
        """Join slots; ``missing`` is what those of ``new`` hold that are not known."""
        old = self.stack
        changed = False
        for offset, before in list(old.items()):
            now = new.get(offset, missing)
            if before is now or before == now:
                continue
            joined = _join_held(before, now)
            if joined == before:
                continue
            changed = True
            if joined == UNKNOWN:
                del old[offset]
            else:
                old[offset] = _widened(before, joined) if wide else joined
        for offset, now in new.items():
            if offset not in old and not self.is_open and isinstance(now, Pointer | Dynptr):
                old[offset] = now if isinstance(now, Dynptr) else join(now, UNKNOWN)
                changed = True
        return changed


def _join_held(one: Held, other: Held) -> Held:
    if isinstance(one, Dynptr) or isinstance(other, Dynptr):
        if isinstance(one, Dynptr) and isinstance(other, Dynptr):
            return Dynptr(one.kinds | other.kinds)
        return one if isinstance(one, Dynptr) else other
    if isinstance(one, Parts) or isinstance(other, Parts):
        if isinstance(other, Pointer):
            return join(other, UNKNOWN)
        if isinstance(one, Pointer):
            return join(one, UNKNOWN)
        return _join_parts(one, other)
    return join(one, other)


def _join_parts(one: Held, other: Held) -> Held:
    left = one.entries if isinstance(one, Parts) else ()
    right = {entry[:2]: entry[2] for entry in other.entries} if isinstance(other, Parts) else {}
    both = [
        (offset, size, join(value, right[offset, size]))
        for offset, size, value in left
        if (offset, size) in right
    ]
    kept = tuple(entry for entry in both if entry[2] != UNKNOWN)
    return Parts(kept) if kept else UNKNOWN


def _widened(before: Held, joined: Held) -> Held:
    if isinstance(joined, Parts):
        return UNKNOWN
    if isinstance(joined, Dynptr) or isinstance(before, Parts | Dynptr):
        return joined
    return widened(before, joined)


def forget_numbers(stack: Stack, start: int, end: int) -> None:
    """Drop what is known of numbers from ``start`` to before ``end``; pointers stay.

    If they were overwritten, the verifier lets nobody follow them; what is there may be a number.
    """
    for offset, held in list(stack.items()):
        if start < offset + SLOT and offset < end:
            if isinstance(held, Pointer):
                stack[offset] = held._replace(or_number=True)
            elif not isinstance(held, Dynptr):
                del stack[offset]


def write_part(
    stack: Stack,
    place: int,
    size: int,
    value: Value,
    byteorder: Literal["little", "big"],
) -> None:
    """Store less than a whole slot; what it overlaps is forgotten."""
    first, last = place & ~(SLOT - 1), (place + size - 1) & ~(SLOT - 1)
    if first != last:
        stack.pop(first, None)
        stack.pop(last, None)
        return
    at = place - first
    kept = [
        entry
        for entry in _parts_of(stack.get(first), byteorder)
        if entry[0] + entry[1] <= at or at + size <= entry[0]
    ]
    low = low_bytes(value, size)
    if low is not None:
        kept.append((at, size, low))
    if kept:
        stack[first] = Parts(tuple(sorted(kept, key=_place)))
    else:
        stack.pop(first, None)


def _place(entry: tuple[int, int, Value]) -> tuple[int, int]:
    return entry[:2]


def _parts_of(
    held: Held | None, byteorder: Literal["little", "big"]
) -> tuple[tuple[int, int, Value], ...]:
    """A slot as parts; a constant in it as two halves."""
    if isinstance(held, Parts):
        return held.entries
    if isinstance(held, int) and held <= MASK64:
        data = held.to_bytes(SLOT, byteorder)
        return tuple((at, 4, int.from_bytes(data[at : at + 4], byteorder)) for at in (0, 4))
    return ()


def low_bytes(value: Value, size: int) -> Value | None:
    """The low bytes of a number; ``None`` if nothing is known of them."""
    mask = (1 << 8 * size) - 1
    numbers = constants(value)
    if numbers is not None:
        if max(numbers) > MASK64:
            return None
        return of_constants(frozenset(each & mask for each in numbers))
    if isinstance(value, Number) and value.high <= mask and value.high != mask:
        return value
    return None


def read_part(
    held: Held | None, at: int, size: int, byteorder: Literal["little", "big"]
) -> Value | None:
    """Bytes of a slot as a number; ``None`` if they are not known."""
    if isinstance(held, int):
        if held > MASK64:
            return None
        return int.from_bytes(held.to_bytes(SLOT, byteorder)[at : at + size], byteorder)
    if not isinstance(held, Parts):
        return None
    for offset, length, value in held.entries:
        if (offset, length) == (at, size):
            return value
    data = bytes_of(held, byteorder)[at : at + size]
    return None if None in data else int.from_bytes(bytes(_known(data)), byteorder)


def _known(data: list[int | None]) -> list[int]:
    return [each for each in data if each is not None]


def bytes_of(held: Held | None, byteorder: Literal["little", "big"]) -> list[int | None]:
    """The eight bytes of a slot, ``None`` where one is not a known constant."""
    found: list[int | None] = [None] * SLOT
    if isinstance(held, int) and held <= MASK64:
        return list(held.to_bytes(SLOT, byteorder))
    if isinstance(held, Parts):
        for offset, length, value in held.entries:
            if isinstance(value, int):
                found[offset : offset + length] = value.to_bytes(length, byteorder)
    return found
