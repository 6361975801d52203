"""What a register may hold: small sets of constants, bounded numbers, pointers of known provenance.

Values are upper bounds. A pointer joined with a number stays the pointer: memory can be reached
through it only where it is the pointer, because the kernel's verifier refuses to follow numbers.
Pointers of different kinds join to a pointer that is *one of* those kinds; what is done through
it is then possible, not certain. Constants that were joined with something else are remembered as
*seen*: some path gives exactly them, so a verdict among them is certain although others are open.

Sources: the register types of the kernel's verifier (``enum bpf_reg_type`` in ``linux/bpf.h``);
known and unknown bits as in ``kernel/bpf/tnum.c``, Linux 6.18.
"""

from typing import NamedTuple

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1

MOST_CONSTANTS = 16
MOST_SEEN = 8

CONTEXT = 1
PACKET = 2
FRAME = 4  # stack of this function
OUTER = 8  # stack of a calling function
MAP = 16
MAP_VALUE = 32
FUNCTION = 64
KERNEL = 128  # a structure of the kernel, typed or not
MEMORY = 256  # memory lent to the program: a record, an allocated object, an arena
SOCKET = 512  # the kernel's view of a socket for programs, struct bpf_sock and its relatives
FLOW_KEYS = 1024
USER = 2048  # an address of a process; only calls read through it
FILE = 4096  # content of a file; only dynptrs stand for it
DYNPTR = 8192  # a dynptr itself, handed over by the kernel
EVERY_KIND = 0x7FF | DYNPTR

_NONE: frozenset[int] = frozenset()


class Pointer(NamedTuple):
    """A pointer, or a number that takes its place on another path.

    Attributes:
        kinds: bits of the kinds it may be.
        offset: bytes from the start of what it points to, ``None`` unknown.
        name: maps or functions it may be, separated by NUL; empty unknown.
        seen: constants some path gives instead.
        places: the offsets there may be, if they are a few; empty for one or for unknown.
        or_number: some path gives a number other than 0. The verifier keeps it from being
            followed, but calls that read at any address take it.
    """

    kinds: int
    offset: int | None = None
    name: str = ""
    seen: frozenset[int] = _NONE
    places: frozenset[int] = _NONE
    or_number: bool = False


class Number(NamedTuple):
    """A number of which bounds and some bits are known.

    Attributes:
        low: least value, unsigned.
        high: greatest value.
        free: bits that are not known.
        bits: the known bits that are set.
        seen: constants some path gives.
    """

    low: int
    high: int
    free: int
    bits: int
    seen: frozenset[int] = _NONE


Value = int | frozenset[int] | Number | Pointer
"""Constants are unsigned 64-bit integers, alone or in sets of 2 to 16."""

UNKNOWN = Number(0, MASK64, MASK64, 0)
UNKNOWN32 = Number(0, MASK32, MASK32, 0)
ANYTHING = Pointer(EVERY_KIND)
REDIRECTED = 1 << 64
"""Result of a redirecting helper, kept among constants: its number means the same everywhere."""

_MOST_NAMES = 4
_MOST_PLACES = 4
_NAMES = "\0"


def names_of(pointer: Pointer) -> tuple[str, ...]:
    """Maps or functions a pointer may be; none if that is not known."""
    return tuple(pointer.name.split(_NAMES)) if pointer.name else ()


def constants(value: Value) -> frozenset[int] | None:
    """The constants ``value`` can be, ``None`` if it is not a set of constants."""
    if isinstance(value, int):
        return frozenset((value,))
    return value if isinstance(value, frozenset) else None


def seen_in(value: Value) -> frozenset[int]:
    """Constants that some path certainly gives."""
    if isinstance(value, int):
        return frozenset((value,))
    return value if isinstance(value, frozenset) else value.seen


def of_constants(numbers: frozenset[int]) -> Value:
    """The value of a set of constants, a range if they are too many.

    >>> of_constants(frozenset({2}))
    2
    """
    if len(numbers) == 1:
        return next(iter(numbers))
    if len(numbers) <= MOST_CONSTANTS:
        return numbers
    hull = as_number(numbers)
    return UNKNOWN if hull is None else hull


def number(low: int, high: int, free: int, bits: int, seen: frozenset[int] = _NONE) -> Value | None:
    """The value of these bounds and bits; ``None`` if they contradict each other.

    >>> sorted(number(0, 2, MASK64, 0))
    [0, 1, 2]
    """
    low = max(low, bits)
    high = min(high, bits | free)
    if low > high:
        return None
    if low == high:
        return low
    free &= (1 << high.bit_length()) - 1
    if high - low < MOST_CONSTANTS:
        few = frozenset(n for n in range(low, high + 1) if n & ~free == bits)
        return of_constants(few) if few else None
    if free.bit_count() <= 4:
        few = frozenset(n for n in _parts(free, bits) if low <= n <= high)
        return of_constants(few) if few else None
    return Number(low, high, free, bits, seen)


def _parts(free: int, bits: int) -> set[int]:
    parts = {bits}
    part = free
    while part:
        parts.add(part | bits)
        part = (part - 1) & free
    return parts


def as_number(value: Value) -> Number | None:
    """Bounds and bits of a number; ``None`` for pointers and for redirects alone."""
    if isinstance(value, Number):
        return value
    if isinstance(value, Pointer):
        return None
    if isinstance(value, int):
        return Number(value, value, 0, value) if value <= MASK64 else None
    plain = [each for each in value if each <= MASK64]
    if not plain:
        return None
    every, some = MASK64, 0
    for each in plain:
        every &= each
        some |= each
    return Number(min(plain), max(plain), some & ~every, every, _few(value))


def redirects_in(value: Value) -> frozenset[int]:
    """Results of redirecting helpers, which no bounds cover."""
    return frozenset(each for each in seen_in(value) if each > MASK64)


def _few(numbers: frozenset[int]) -> frozenset[int]:
    """Some of them, every redirect among them."""
    if len(numbers) <= MOST_SEEN:
        return numbers
    redirects = redirects_in(numbers)
    return redirects | frozenset(sorted(numbers - redirects)[:MOST_SEEN])


def _more(old: frozenset[int], new: frozenset[int]) -> frozenset[int]:
    """Both, unless that is too many: then the old ones, so that joining comes to an end.

    Redirects are never left out: bounds do not cover them, and there are but a few.
    """
    if not new or new <= old:
        return old
    both = old | new
    return both if len(both) <= MOST_SEEN else old | redirects_in(new)


def join(one: Value, other: Value) -> Value:
    """The smallest value that covers both; a join with ``one`` before it comes to an end."""
    if one is other or one == other:
        return one
    if isinstance(one, Pointer):
        if isinstance(other, Pointer):
            return _join_pointers(one, other)
        return _join_number(one, other)
    if isinstance(other, Pointer):
        return _join_number(other, one)
    if isinstance(one, Number) or isinstance(other, Number):
        return _join_numbers(one, other)
    left = one if isinstance(one, frozenset) else frozenset((one,))
    right = other if isinstance(other, frozenset) else frozenset((other,))
    return of_constants(left | right)


def _join_numbers(one: Value, other: Value) -> Value:
    a, b = as_number(one), as_number(other)
    seen = _more(seen_in(one), seen_in(other))
    if len(seen) > MOST_SEEN:
        seen = _few(seen)
    if a is None or b is None:  # a redirect and a number
        known = a or b or UNKNOWN
        return known._replace(seen=seen)
    free = a.free | b.free | (a.bits ^ b.bits)
    return Number(min(a.low, b.low), max(a.high, b.high), free, a.bits & b.bits & ~free, seen)


def _join_pointers(one: Pointer, other: Pointer) -> Pointer:
    name = one.name
    if name != other.name:
        names = dict.fromkeys([*names_of(one), *names_of(other)])
        known = one.name and other.name and len(names) <= _MOST_NAMES
        name = _NAMES.join(sorted(names)) if known else ""
    seen = _more(one.seen, other.seen)
    mixed = one.or_number or other.or_number
    if one.kinds != other.kinds:
        return Pointer(one.kinds | other.kinds, None, name, seen, or_number=mixed)
    if one.offset is not None and one.offset == other.offset:
        return Pointer(one.kinds, one.offset, name, seen, or_number=mixed)
    places = _places(one, other) if name else _NONE
    return Pointer(one.kinds, None, name, seen, places, mixed)


def _places(one: Pointer, other: Pointer) -> frozenset[int]:
    """The few offsets of both; none if one of them is unknown or they are many."""
    left = one.places if one.offset is None else frozenset((one.offset,))
    right = other.places if other.offset is None else frozenset((other.offset,))
    both = left | right
    return both if left and right and len(both) <= _MOST_PLACES else _NONE


def _join_number(pointer: Pointer, other: Value) -> Pointer:
    # The verifier allows one load through a map's value here and other memory there, so what is
    # loaded is not what the map has at that place.
    kept = _more(pointer.seen, seen_in(other))
    mixed = pointer.or_number or other != 0
    if pointer.kinds == MAP_VALUE:
        return Pointer(MAP_VALUE, None, "", kept, or_number=mixed)
    if kept is pointer.seen and mixed == pointer.or_number:
        return pointer
    return pointer._replace(seen=kept, or_number=mixed)


def widened(old: Value, new: Value) -> Value:
    """``new`` where it grew from ``old``, as a value that cannot grow much more."""
    if old == new:
        return new
    if isinstance(new, Pointer):
        return Pointer(new.kinds, None, new.name, new.seen, or_number=new.or_number)
    seen = seen_in(new)
    return UNKNOWN._replace(seen=_few(seen)) if seen else UNKNOWN


def signed(number: int, bits: int) -> int:
    """Two's complement of the low ``bits``.

    >>> signed(0xFFFF_FFFF, 32)
    -1
    """
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number
