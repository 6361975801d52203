"""What calls do to the registers and the stack of their caller.

Only what the analysis follows: where pointers come from, which results mean "redirected", which
callbacks get which arguments. Source: the prototypes in ``kernel/bpf/helpers.c`` and
``net/core/filter.c``, Linux 6.18.
"""

from collections.abc import Sequence

from skep.bytecode.analysis.values import (
    ANYTHING,
    FRAME,
    FUNCTION,
    MAP,
    MAP_VALUE,
    MASK64,
    OUTER,
    REDIRECTED,
    UNKNOWN,
    Pointer,
    Value,
    constants,
    of_constants,
)

TAIL_CALL = 12
REDIRECT_MAP = 51
_LOOKUPS = frozenset({1, 195, 81, 107, 145, 156, 210})  # element or storage of the map in r1
_REDIRECTS = frozenset({23, 152, 155})

READ_ONLY = frozenset(
    {1, 2, 3, 6, 9, 12, 13, 21, 23, 25, 28, 30, 51, 87, 111, 121, 127, 130, 177, 182, 190, 195}
)
"""Helpers that only read through the pointers they are given."""

_CALLBACK_ARGUMENTS: dict[int, tuple[int | None, ...]] = {
    # Which argument of the helper each argument of the callback is; None: nothing we look at.
    180: (None, None, 4),  # find_vma: callback(task, vma, context)
    181: (None, 3),  # loop: callback(index, context)
    209: (None, 3),  # user_ringbuf_drain: callback(dynptr, context)
}

CALLBACK_HELPERS = frozenset({164, 170, 180, 181, 209})


def as_outer(value: Value) -> Value:
    """``value`` as a called function sees it: our frame is its caller's."""
    if isinstance(value, Pointer) and value.kinds & FRAME:
        return Pointer(value.kinds & ~FRAME | OUTER, None, "")
    return value


def helper_result(helper: int, arguments: Sequence[Value], *, is_known: bool) -> Value:
    """What r0 is behind a helper.

    Args:
        arguments: r1 to r5 before the call.
        is_known: the helper is in our table.
    """
    if not is_known:
        return ANYTHING
    if helper in _LOOKUPS:
        first = arguments[0]
        name = first.name if isinstance(first, Pointer) and first.kinds == MAP else ""
        return Pointer(MAP_VALUE, 0, name)
    if helper in _REDIRECTS:
        return REDIRECTED
    if helper == REDIRECT_MAP:
        # The two low bits of the flags are returned if the key is not in the map (since 5.3).
        flags = constants(arguments[2])
        if flags is None or any(flag > MASK64 for flag in flags):
            return UNKNOWN
        return of_constants(frozenset({REDIRECTED, *(flag & 3 for flag in flags if flag & 3)}))
    return UNKNOWN


def callback_arguments(helper: int | None, arguments: Sequence[Value]) -> tuple[Value, ...]:
    """r1 to r5 of a callback that was given to ``helper``; ``None`` for a kernel function."""
    if helper == 164:  # for_each_map_elem: callback(map, key, value, context)
        first = arguments[0]
        name = first.name if isinstance(first, Pointer) else ""
        value = Pointer(MAP_VALUE, 0, name)
        return (first, Pointer(MAP_VALUE), value, as_outer(arguments[2]), UNKNOWN)
    if helper == 170:  # the value that holds the timer
        return (UNKNOWN, Pointer(MAP_VALUE), Pointer(MAP_VALUE), UNKNOWN, UNKNOWN)
    sources = None if helper is None else _CALLBACK_ARGUMENTS.get(helper)
    if sources is None:
        return (ANYTHING,) * 5
    given: list[Value] = [
        UNKNOWN if source is None else as_outer(arguments[source - 1]) for source in sources
    ]
    return (*given, *(UNKNOWN,) * (5 - len(given)))


def callbacks_in(arguments: Sequence[Value]) -> list[str]:
    """Names of the functions among ``arguments``; empty for one of several."""
    return [
        value.name
        for value in arguments
        if isinstance(value, Pointer) and value.kinds & FUNCTION and value.kinds != ANYTHING.kinds
    ]
