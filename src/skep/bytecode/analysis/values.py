"""What a register may hold: small sets of constants, pointers of known provenance, or unknown.

Values are upper bounds. A pointer joined with a number stays the pointer: memory can be reached
through it only where it is the pointer, because the kernel's verifier refuses to follow numbers.
Pointers of different kinds join to a pointer that is *one of* those kinds; what is done through
it is then possible, not certain.
"""

from collections.abc import Callable
from typing import NamedTuple

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1

MOST_CONSTANTS = 16

CONTEXT = 1
PACKET = 2
FRAME = 4  # stack of this function
OUTER = 8  # stack of a calling function
MAP = 16
MAP_VALUE = 32
FUNCTION = 64
EVERY_KIND = 127


class Pointer(NamedTuple):
    """Anything but constants.

    Attributes:
        kinds: bits of the kinds it may be; 0 is a number, or a pointer to nothing we look at.
        offset: bytes from the start of what it points to, ``None`` unknown. For numbers 32 if
            the upper half is known to be zero.
        name: map or function, empty unknown.
    """

    kinds: int
    offset: int | None = None
    name: str = ""


Value = int | frozenset[int] | Pointer
"""Constants are unsigned 64-bit integers, alone or in sets of 2 to 16."""

UNKNOWN = Pointer(0)
UNKNOWN32 = Pointer(0, 32)
ANYTHING = Pointer(EVERY_KIND)
REDIRECTED = 1 << 64
"""Result of a redirecting helper, kept among constants: its number means the same everywhere."""

_REDIRECTED_HIGH = 1 << 65
_MOVED_REDIRECTED = {  # sign extension from 32 bits, by two shifts, as compilers write it
    (REDIRECTED, 0x60, 32): _REDIRECTED_HIGH,
    (_REDIRECTED_HIGH, 0x70, 32): REDIRECTED,
    (_REDIRECTED_HIGH, 0xC0, 32): REDIRECTED,
}


def constants(value: Value) -> frozenset[int] | None:
    """The constants ``value`` can be, ``None`` if it is not a set of constants."""
    if isinstance(value, int):
        return frozenset((value,))
    return value if isinstance(value, frozenset) else None


def of_constants(numbers: frozenset[int]) -> Value:
    """The value of a set of constants, unknown if they are too many.

    >>> of_constants(frozenset({2}))
    2
    """
    if len(numbers) == 1:
        return next(iter(numbers))
    if len(numbers) <= MOST_CONSTANTS:
        return numbers
    return UNKNOWN32 if max(numbers) <= MASK32 else UNKNOWN


def join(one: Value, other: Value) -> Value:
    """The smallest value that covers both."""
    if one is other or one == other:
        return one
    if isinstance(one, Pointer):
        if isinstance(other, Pointer):
            return _join_pointers(one, other)
        return _join_constant(one, other)
    if isinstance(other, Pointer):
        return _join_constant(other, one)
    left = one if isinstance(one, frozenset) else frozenset((one,))
    right = other if isinstance(other, frozenset) else frozenset((other,))
    return of_constants(left | right)


def _join_pointers(one: Pointer, other: Pointer) -> Pointer:
    if not one.kinds or not other.kinds:
        if not (one.kinds or other.kinds):
            return UNKNOWN
        pointer = one if one.kinds else other
        # The verifier allows one load through a map's value here and other memory there, so what
        # is loaded is not what the map has at that place.
        return Pointer(MAP_VALUE) if pointer.kinds == MAP_VALUE else pointer
    name = one.name if one.name == other.name else ""
    offset = one.offset if one.offset == other.offset and one.kinds == other.kinds else None
    return Pointer(one.kinds | other.kinds, offset, name)


def _join_constant(pointer: Pointer, constant: int | frozenset[int]) -> Pointer:
    if pointer != UNKNOWN32:
        return pointer
    most = constant if isinstance(constant, int) else max(constant)
    return UNKNOWN32 if most <= MASK32 else UNKNOWN


def widened(old: Value, new: Value) -> Value:
    """``new`` where it grew from ``old``, as a value that cannot grow much more."""
    if old == new:
        return new
    if isinstance(new, Pointer) and new.kinds:
        return Pointer(new.kinds, None, new.name)
    return UNKNOWN


def signed(number: int, bits: int) -> int:
    """Two's complement of the low ``bits``.

    >>> signed(0xFFFF_FFFF, 32)
    -1
    """
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _divide(a: int, b: int, _bits: int) -> int:
    return a // b if b else 0  # RFC 9669, section 4.1: division by zero gives zero


def _modulo(a: int, b: int, _bits: int) -> int:
    return a % b if b else a


_ARITHMETIC: dict[int, Callable[[int, int, int], int]] = {
    0x00: lambda a, b, _bits: a + b,
    0x10: lambda a, b, _bits: a - b,
    0x20: lambda a, b, _bits: a * b,
    0x30: _divide,
    0x40: lambda a, b, _bits: a | b,
    0x50: lambda a, b, _bits: a & b,
    0x60: lambda a, b, bits: a << (b & (bits - 1)),
    0x70: lambda a, b, bits: a >> (b & (bits - 1)),
    0x90: _modulo,
    0xA0: lambda a, b, _bits: a ^ b,
    0xC0: lambda a, b, bits: signed(a, bits) >> (b & (bits - 1)),
}


def compute(operation: int, one: Value, other: Value, bits: int) -> Value:
    """Result of an arithmetic instruction.

    Args:
        operation: the four high bits of the opcode.
        bits: 64, or 32 for instructions whose result has a zero upper half.
    """
    if isinstance(one, Pointer) or isinstance(other, Pointer):
        return _compute_unknown(operation, one, other, bits)
    left = one if isinstance(one, frozenset) else (one,)
    right = other if isinstance(other, frozenset) else (other,)
    step = _ARITHMETIC.get(operation)
    if step is None:
        return UNKNOWN
    mask = MASK64 if bits == 64 else MASK32
    found = set()
    for a in left:
        for b in right:
            if b > MASK64:
                return UNKNOWN
            if a <= MASK64:
                found.add(step(a & mask, b & mask, bits) & mask)
                continue
            moved = _MOVED_REDIRECTED.get((a, operation, b)) if bits == 64 else None
            if moved is None:
                return UNKNOWN
            found.add(moved)
        if len(found) > 4 * MOST_CONSTANTS:
            return UNKNOWN if bits == 64 else UNKNOWN32
    return of_constants(frozenset(found))


def move(value: Value, bits: int, sign_bits: int) -> Value:
    """Result of a move; ``sign_bits`` is the offset of the instruction, 0 for a plain move."""
    numbers = constants(value)
    if numbers is None:
        # 64 bits: a sign extension, or between address spaces.
        return UNKNOWN if bits == 64 else UNKNOWN32
    if sign_bits:
        if sign_bits not in {8, 16, 32} or max(numbers) > MASK64:
            return UNKNOWN
        mask = MASK64 if bits == 64 else MASK32
        numbers = frozenset(signed(number, sign_bits) & mask for number in numbers)
    else:  # a redirect stays one
        numbers = frozenset(n if n > MASK64 else n & MASK32 for n in numbers)
    return of_constants(numbers)


def _compute_unknown(operation: int, one: Value, other: Value, bits: int) -> Value:
    unknown = UNKNOWN if bits == 64 else UNKNOWN32
    if bits == 64 and operation in {0x00, 0x10}:
        if isinstance(one, Pointer) and one.kinds:
            if isinstance(other, Pointer) and other.kinds and operation == 0x10:
                return UNKNOWN
            return _moved(one, other, operation)
        if operation == 0x00 and isinstance(other, Pointer) and other.kinds:
            return _moved(other, one, operation)
        return UNKNOWN
    if not isinstance(other, int) or other > MASK64:
        return unknown
    if operation == 0x50:
        return _masked(other & (MASK64 if bits == 64 else MASK32), bits)
    if operation == 0x90 and 0 < other <= MOST_CONSTANTS:
        return of_constants(frozenset(range(other)))
    if operation == 0x70:
        width = 32 if one == UNKNOWN32 or bits == 32 else 64
        left = width - (other & (bits - 1))
        if 0 < left <= 4:
            return of_constants(frozenset(range(1 << left)))
        if left <= 0:
            return 0
        return UNKNOWN32 if left <= 32 else UNKNOWN
    return unknown


def _moved(pointer: Pointer, distance: Value, operation: int) -> Pointer:
    if pointer.offset is None or not isinstance(distance, int) or distance > MASK64:
        return Pointer(pointer.kinds, None, pointer.name)
    step = signed(distance, 64)
    offset = pointer.offset + step if operation == 0x00 else pointer.offset - step
    return Pointer(pointer.kinds, offset, pointer.name)


def _masked(mask: int, bits: int) -> Value:
    """Unknown and ``mask``: all its parts if they are few."""
    if mask.bit_count() > 4:
        return UNKNOWN32 if mask <= MASK32 or bits == 32 else UNKNOWN
    parts = {0}
    part = mask
    while part:
        parts.add(part)
        part = (part - 1) & mask
    return of_constants(frozenset(parts))


_TESTS: dict[int, Callable[[int, int, int], bool]] = {
    0x10: lambda a, b, _bits: a == b,
    0x20: lambda a, b, _bits: a > b,
    0x30: lambda a, b, _bits: a >= b,
    0x40: lambda a, b, _bits: bool(a & b),
    0x50: lambda a, b, _bits: a != b,
    0x60: lambda a, b, bits: signed(a, bits) > signed(b, bits),
    0x70: lambda a, b, bits: signed(a, bits) >= signed(b, bits),
    0xA0: lambda a, b, _bits: a < b,
    0xB0: lambda a, b, _bits: a <= b,
    0xC0: lambda a, b, bits: signed(a, bits) < signed(b, bits),
    0xD0: lambda a, b, bits: signed(a, bits) <= signed(b, bits),
}


def split(operation: int, one: Value, other: Value, bits: int) -> tuple[Value | None, Value | None]:
    """What ``one`` can be behind a conditional jump, and at its target.

    ``None`` where control cannot go.
    """
    if not isinstance(other, int) or other > MASK64:
        return one, one
    mask = MASK64 if bits == 64 else MASK32
    test = _TESTS.get(operation)
    if test is None:
        return one, one
    if isinstance(one, Pointer):
        # The low half says nothing about the whole, unless the upper half is zero.
        exact = bits == 64 or one == UNKNOWN32
        known = other & mask
        if operation == 0x10 and exact:
            return one, known
        if operation == 0x50 and exact:
            return known, one
        return one, one
    numbers = one if isinstance(one, frozenset) else frozenset((one,))
    redirected = frozenset(number for number in numbers if number > MASK64)
    plain = numbers - redirected
    taken = frozenset(a for a in plain if test(a & mask, other & mask, bits))
    rest = plain - taken | redirected
    taken |= redirected
    return (of_constants(rest) if rest else None), (of_constants(taken) if taken else None)
