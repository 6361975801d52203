"""What a conditional jump says about the value it tests.

Semantics: RFC 9669, section 4.3.
"""

from collections.abc import Callable

from skep.bytecode.analysis.values import (
    MASK32,
    MASK64,
    Number,
    Value,
    number,
    of_constants,
    seen_in,
    signed,
)
from skep.bytecode.isa.fields import JEQ, JGE, JGT, JLE, JLT, JNE, JSET, JSGE, JSGT, JSLE, JSLT

_TESTS: dict[int, Callable[[int, int, int], bool]] = {
    JEQ: lambda a, b, _bits: a == b,
    JGT: lambda a, b, _bits: a > b,
    JGE: lambda a, b, _bits: a >= b,
    JSET: lambda a, b, _bits: bool(a & b),
    JNE: lambda a, b, _bits: a != b,
    JSGT: lambda a, b, bits: signed(a, bits) > signed(b, bits),
    JSGE: lambda a, b, bits: signed(a, bits) >= signed(b, bits),
    JLT: lambda a, b, _bits: a < b,
    JLE: lambda a, b, _bits: a <= b,
    JSLT: lambda a, b, bits: signed(a, bits) < signed(b, bits),
    JSLE: lambda a, b, bits: signed(a, bits) <= signed(b, bits),
}
_LOWEST_HALF = (1 << 31) - 1  # where the kernel's memory is on no 64-bit machine
_ERRORS = 4095  # the kernel's MAX_ERRNO
MIRRORED = {JGT: JLT, JGE: JLE, JLT: JGT, JLE: JGE, JSGT: JSLT, JSGE: JSLE, JSLT: JSGT, JSLE: JSGE}
"""The same test with its sides exchanged, where that is another one."""
_UNSIGNED = {JSGT: JGT, JSGE: JGE, JSLT: JLT, JSLE: JLE}

Outcome = tuple[Value | None, Value | None]
"""The value behind the jump, and at its target; ``None`` where control cannot go."""


def split(operation: int, one: Value, other: Value, bits: int) -> Outcome:
    """Values ``one`` can have after a conditional jump, and at its target."""
    test = _TESTS.get(operation)
    if test is None or not isinstance(other, int) or other > MASK64:
        return one, one
    mask = MASK64 if bits == 64 else MASK32
    if isinstance(one, Number):
        if one.high > mask:
            return one, one  # the low half says nothing about the whole
        rest, taken = _split_number(operation, one, other & mask, bits)
        redirects = _redirects(one)
        if redirects:  # whatever bounds say: their numbers are not among those
            ways = (rest, taken)
            rest, taken = (of_constants(redirects) if way is None else way for way in ways)
        return rest, taken
    if isinstance(one, int | frozenset):
        return _split_constants(test, one, other & mask, bits, mask)
    if bits == 64 and operation in {JEQ, JNE} and _is_no_address(other):
        return (one, other) if operation == JEQ else (other, one)
    return one, one


def _is_no_address(number: int) -> bool:
    """Whether no memory of the kernel is there: a pointer that is equal to it is none."""
    return number <= _LOWEST_HALF or number > MASK64 - _ERRORS


def _split_constants(
    test: Callable[[int, int, int], bool],
    one: int | frozenset[int],
    other: int,
    bits: int,
    mask: int,
) -> Outcome:
    numbers = one if isinstance(one, frozenset) else frozenset((one,))
    redirected = frozenset(each for each in numbers if each > MASK64)
    plain = numbers - redirected
    taken = frozenset(each for each in plain if test(each & mask, other, bits))
    rest = plain - taken | redirected
    taken |= redirected
    return (of_constants(rest) if rest else None), (of_constants(taken) if taken else None)


def _split_number(operation: int, one: Number, other: int, bits: int) -> Outcome:
    if operation == JNE:
        taken, rest = _split_number(JEQ, one, other, bits)
        return rest, taken
    if operation == JSET:
        clear = None
        if not one.bits & other:
            clear = number(one.low, one.high, one.free & ~other, one.bits)
        return _kept(operation, one, clear, other), one
    if operation == JEQ:
        is_possible = one.low <= other <= one.high and other & ~one.free == one.bits
        low = one.low + (one.low == other)
        high = one.high - (one.high == other)
        rest = _kept(operation, one, number(low, high, one.free, one.bits), other)
        return rest, (other if is_possible or _redirects(one) else None)
    if operation in _UNSIGNED:
        return _split_signed(operation, one, other, bits)
    return _bounded(one, *_ranges(operation, other))


def _ranges(operation: int, other: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Unsigned ranges behind the jump and at its target."""
    if operation == JGT:
        return (0, other), (other + 1, MASK64)
    if operation == JGE:
        return (0, other - 1), (other, MASK64)
    if operation == JLT:
        return (other, MASK64), (0, other - 1)
    return (other + 1, MASK64), (0, other)


def _bounded(one: Number, rest: tuple[int, int], taken: tuple[int, int]) -> Outcome:
    return _within(one, *rest), _within(one, *taken)


def _within(one: Number, low: int, high: int) -> Value | None:
    if low > high:
        return one._replace(seen=_redirects(one)) if _redirects(one) else None
    found = number(max(low, one.low), min(high, one.high), one.free, one.bits)
    return _with_seen(one, found, lambda each: low <= each <= high)


def _kept(operation: int, one: Number, found: Value | None, other: int) -> Value | None:
    if operation == JSET:
        return _with_seen(one, found, lambda each: not each & other)
    return _with_seen(one, found, lambda each: each != other)


def _redirects(one: Number) -> frozenset[int]:
    return frozenset(each for each in one.seen if each > MASK64)


def _with_seen(one: Number, found: Value | None, holds: Callable[[int], bool]) -> Value | None:
    """``found`` with the constants of single paths that pass the test; redirects always do."""
    if not one.seen:
        return found
    seen = frozenset(each for each in one.seen if each > MASK64 or holds(each))
    if found is None:
        return of_constants(seen) if seen else None
    if isinstance(found, Number):
        return found._replace(seen=seen)
    redirects = _redirects(one)
    return of_constants(frozenset({*seen_in(found), *redirects})) if redirects else found


def _split_signed(operation: int, one: Number, other: int, bits: int) -> Outcome:
    """Signed comparisons, exact where one side of zero answers for the whole."""
    half = 1 << (bits - 1)
    limit = signed(other, bits)
    if one.high < half:  # not negative
        if limit < 0:
            always = operation in {JSGT, JSGE}
            return (None, one) if always else (one, None)
        return _bounded(one, *_ranges(_UNSIGNED[operation], limit))
    if one.low >= half:  # negative: greater numbers stay greater
        if limit >= 0:
            never = operation in {JSGT, JSGE}
            return (one, None) if never else (None, one)
        return _bounded(one, *_ranges(_UNSIGNED[operation], other))
    rest: Value | None = one
    taken: Value | None = one
    if operation in {JSGT, JSGE} and limit >= (-1 if operation == JSGT else 0):
        taken = _within(one, limit + (operation == JSGT), half - 1)
    elif operation in {JSLT, JSLE} and limit >= (0 if operation == JSLT else -1):
        rest = _within(one, limit + (operation == JSLE), half - 1)
    if operation in {JSLT, JSLE} and limit <= (0 if operation == JSLT else -1):
        taken = _within(one, half, (1 << bits) - 1)
    elif operation in {JSGT, JSGE} and limit <= (-1 if operation == JSGT else 0):
        rest = _within(one, half, (1 << bits) - 1)
    return rest, taken
