"""Results of arithmetic on values that are only partly known.

Semantics: RFC 9669, section 4.1. Known bits follow the algorithms of the kernel's
``kernel/bpf/tnum.c``; bounds are kept only where nothing can overflow.
"""

from collections.abc import Callable

from skep.bytecode.analysis.values import (
    MASK32,
    MASK64,
    MEMORY,
    MOST_CONSTANTS,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
    as_number,
    constants,
    number,
    of_constants,
    redirects_in,
    seen_in,
    signed,
)
from skep.bytecode.isa.fields import ADD, AND, ARSH, DIV, MOD, MUL, OR, SHL, SHR, SUB, XOR

_REDIRECTED_HIGH = 1 << 65
_REDIRECTS = frozenset({REDIRECTED})
_MOVED_REDIRECTED = {  # sign extension from 32 bits, by two shifts, as compilers write it
    (REDIRECTED, SHL, 32): _REDIRECTED_HIGH,
    (_REDIRECTED_HIGH, SHR, 32): REDIRECTED,
    (_REDIRECTED_HIGH, ARSH, 32): REDIRECTED,
}


def _divide(a: int, b: int, _bits: int) -> int:
    return a // b if b else 0  # division by zero gives zero


def _modulo(a: int, b: int, _bits: int) -> int:
    return a % b if b else a


_STEPS: dict[int, Callable[[int, int, int], int]] = {
    ADD: lambda a, b, _bits: a + b,
    SUB: lambda a, b, _bits: a - b,
    MUL: lambda a, b, _bits: a * b,
    DIV: _divide,
    OR: lambda a, b, _bits: a | b,
    AND: lambda a, b, _bits: a & b,
    SHL: lambda a, b, bits: a << (b & (bits - 1)),
    SHR: lambda a, b, bits: a >> (b & (bits - 1)),
    MOD: _modulo,
    XOR: lambda a, b, _bits: a ^ b,
    ARSH: lambda a, b, bits: signed(a, bits) >> (b & (bits - 1)),
}


def compute(operation: int, one: Value, other: Value, bits: int) -> Value:
    """Result of an arithmetic instruction.

    Args:
        operation: the four high bits of the opcode.
        bits: 64, or 32 for instructions whose result has a zero upper half.
    """
    if isinstance(one, Pointer) or isinstance(other, Pointer):
        if bits == 64 and operation in {ADD, SUB}:
            return _moved_pointer(operation, one, other)
        return _on_numbers(operation, _as_data(one), _as_data(other), bits)
    if isinstance(one, Number) or isinstance(other, Number):
        return _on_numbers(operation, one, other, bits)
    return _on_constants(operation, one, other, bits)


def _on_constants(
    operation: int, one: int | frozenset[int], other: int | frozenset[int], bits: int
) -> Value:
    left = one if isinstance(one, frozenset) else (one,)
    right = other if isinstance(other, frozenset) else (other,)
    found = set()
    for a in left:
        for b in right:
            result = _step(operation, a, b, bits)
            if result is None:
                return _whole(bits)
            found.add(result)
        if len(found) > 4 * MOST_CONSTANTS:
            return _whole(bits)
    return of_constants(frozenset(found))


def _step(operation: int, a: int, b: int, bits: int) -> int | None:
    """One result; ``None`` if it cannot be said."""
    step = _STEPS.get(operation)
    if step is None or b > MASK64:
        return None
    mask = MASK64 if bits == 64 else MASK32
    if a <= MASK64:
        return step(a & mask, b & mask, bits) & mask
    return _MOVED_REDIRECTED.get((a, operation, b)) if bits == 64 else None


def _whole(bits: int) -> Number:
    return UNKNOWN if bits == 64 else UNKNOWN32


def _as_data(value: Value) -> Value:
    """A pointer taken as a number."""
    return UNKNOWN._replace(seen=value.seen) if isinstance(value, Pointer) else value


def _moved_pointer(operation: int, one: Value, other: Value) -> Value:
    if isinstance(one, Pointer):
        if isinstance(other, Pointer) and operation == SUB:
            return UNKNOWN
        if isinstance(other, Pointer):  # only one of them can be the pointer
            return Pointer(one.kinds | other.kinds)
        pointer, distance = one, other
    elif operation == ADD and isinstance(other, Pointer):
        pointer, distance = other, one
    else:
        return UNKNOWN
    if pointer.offset is None or not isinstance(distance, int) or distance > MASK64:
        return Pointer(pointer.kinds, None, pointer.name, or_number=pointer.or_number)
    step = signed(distance, 64)
    offset = pointer.offset + step if operation == ADD else pointer.offset - step
    return Pointer(pointer.kinds, offset, pointer.name, or_number=pointer.or_number)


def _on_numbers(operation: int, one: Value, other: Value, bits: int) -> Value:
    a, b = as_number(one), as_number(other)
    whole = _whole(bits)
    if a is None or b is None:
        return whole
    if bits != 64:
        a, b = _low_half(a), _low_half(b)
    rule = _RULES.get(operation)
    is_covered = not redirects_in(one) and not redirects_in(other)
    result = rule(a, b, bits) if rule is not None and is_covered else None
    if result is None:
        result = whole
    if isinstance(result, Number):
        seen = _seen(operation, one, other, bits)
        if seen != result.seen:
            result = result._replace(seen=seen)
    return result


def _seen(operation: int, one: Value, other: Value, bits: int) -> frozenset[int]:
    """What becomes of the constants of single paths: known only beside a constant."""
    if not isinstance(other, int):
        return frozenset()
    results = (_step(operation, each, other, bits) for each in seen_in(one))
    return frozenset(each for each in results if each is not None)


def _low_half(value: Number) -> Number:
    if value.high <= MASK32:
        return value
    return Number(0, MASK32, value.free & MASK32, value.bits & MASK32)


def _add(a: Number, b: Number, bits: int) -> Value | None:
    mask = _whole(bits).high
    carried = a.free + b.free + a.bits + b.bits
    free = (carried ^ (a.bits + b.bits)) | a.free | b.free
    known = (a.bits + b.bits) & ~free & mask
    low, high = a.low + b.low, a.high + b.high
    if high > mask:
        low, high = 0, mask
    return number(low, high, free & mask, known)


def _subtract(a: Number, b: Number, bits: int) -> Value | None:
    mask = _whole(bits).high
    plain = a.bits - b.bits
    free = ((plain + a.free) ^ (plain - b.free)) | a.free | b.free
    known = plain & ~free & mask
    low, high = a.low - b.high, a.high - b.low
    if low < 0:
        low, high = 0, mask
    return number(low, high, free & mask, known)


def _multiply(a: Number, b: Number, bits: int) -> Value | None:
    mask = _whole(bits).high
    if a.high * b.high > mask:
        return None
    return number(a.low * b.low, a.high * b.high, mask, 0)


def _divide_by(a: Number, b: Number, bits: int) -> Value | None:
    if b.low != b.high or not b.low:
        return None
    return number(a.low // b.low, a.high // b.low, _whole(bits).high, 0)


def _modulo_by(_a: Number, b: Number, bits: int) -> Value | None:
    if b.low != b.high or not b.low:
        return None
    return number(0, b.low - 1, _whole(bits).high, 0)


def _or(a: Number, b: Number, bits: int) -> Value | None:
    known = a.bits | b.bits
    return number(max(a.low, b.low), _whole(bits).high, (a.free | b.free) & ~known, known)


def _and(a: Number, b: Number, _bits: int) -> Value | None:
    known = a.bits & b.bits
    free = (a.bits | a.free) & (b.bits | b.free) & ~known
    return number(0, min(a.high, b.high), free, known)


def _exclusive_or(a: Number, b: Number, bits: int) -> Value | None:
    free = a.free | b.free
    return number(0, _whole(bits).high, free, (a.bits ^ b.bits) & ~free)


def _shift_left(a: Number, b: Number, bits: int) -> Value | None:
    if b.low != b.high:
        return None
    mask, by = _whole(bits).high, b.low & (bits - 1)
    low, high = a.low << by, a.high << by
    if high > mask:
        low, high = 0, mask
    return number(low, high, a.free << by & mask, a.bits << by & mask)


def _shift_right(a: Number, b: Number, bits: int) -> Value | None:
    if b.low != b.high:
        return None
    by = b.low & (bits - 1)
    return number(a.low >> by, a.high >> by, a.free >> by, a.bits >> by)


def _shift_signed(a: Number, b: Number, bits: int) -> Value | None:
    return _shift_right(a, b, bits) if not a.high >> (bits - 1) else None


_RULES: dict[int, Callable[[Number, Number, int], Value | None]] = {
    ADD: _add,
    SUB: _subtract,
    MUL: _multiply,
    DIV: _divide_by,
    OR: _or,
    AND: _and,
    SHL: _shift_left,
    SHR: _shift_right,
    MOD: _modulo_by,
    XOR: _exclusive_or,
    ARSH: _shift_signed,
}

_ADDRESS_SPACE_CAST = 1


def move(value: Value, bits: int, sign_bits: int) -> Value:
    """Result of a move; ``sign_bits`` is the offset of the instruction, 0 for a plain move."""
    if sign_bits == _ADDRESS_SPACE_CAST:
        return Pointer(MEMORY)
    numbers = constants(value)
    if numbers is not None:
        return _moved_constants(numbers, bits, sign_bits)
    known = _as_data(value)
    if not isinstance(known, Number):
        return _whole(bits)
    if sign_bits:
        kept = sign_bits in {8, 16, 32} and known.high < 1 << (sign_bits - 1)
        result = known if kept else _whole(bits)
    else:
        result = _low_half(known) if bits != 64 else known
    seen = _moved_constants(known.seen, bits, sign_bits) if known.seen else frozenset[int]()
    return result._replace(seen=seen_in(seen))


def _moved_constants(numbers: frozenset[int], bits: int, sign_bits: int) -> Value:
    if sign_bits:
        if sign_bits not in {8, 16, 32} or max(numbers) > REDIRECTED:
            return _whole(bits)
        mask = MASK64 if bits == 64 else MASK32
        return of_constants(
            frozenset(n if n in _REDIRECTS else signed(n, sign_bits) & mask for n in numbers)
        )
    # A redirect stays one.
    return of_constants(frozenset(n if n > MASK64 else n & MASK32 for n in numbers))
