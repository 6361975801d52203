"""What calls give back, and what callbacks get: where pointers come from, what "redirected" means.

Source: the prototypes in ``kernel/bpf/helpers.c`` and ``net/core/filter.c``, Linux 6.18.
"""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.values import (
    ANYTHING,
    DYNPTR,
    FRAME,
    FUNCTION,
    KERNEL,
    MAP,
    MAP_VALUE,
    MASK64,
    MEMORY,
    OUTER,
    PACKET,
    REDIRECTED,
    SOCKET,
    UNKNOWN,
    Pointer,
    Value,
    constants,
    names_of,
    of_constants,
    seen_in,
    signed,
)
from skep.bytecode.isa.codes import REDIRECT, REDIRECT_MAP, REDIRECT_NEIGH, REDIRECT_PEER
from skep.bytecode.objectfile.model import MapSpec
from skep.hooks.packet_verdicts import TC_ACT_SHOT, XDP_ABORTED

_REDIRECTS_AWAY = {REDIRECT_NEIGH: 3, REDIRECT_PEER: 1}  # which argument the flags are
_INGRESS = 1
_ACTION = 3
_XDP_MAP_FLAGS = _ACTION | 8 | 16  # BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS

_OF_MAPS = frozenset({12, 13})
_OF_SOCKETS = frozenset({15, 17, 18})  # SOCKMAP, XSKMAP, SOCKHASH

_RESULTS: Mapping[str, int] = {
    "map_value": MAP_VALUE,
    "map": MAP,
    "memory": MEMORY,
    "packet": PACKET,
    "kernel_object": KERNEL,
    "socket": SOCKET,
}

_CALLBACK_ARGUMENTS: dict[int, tuple[int | None, ...]] = {
    # Which argument of the helper each argument of the callback is; None: nothing we look at.
    181: (None, 3),  # loop: callback(index, context)
}
_LATER = frozenset({170})  # timer_set_callback
_LATER_BY_NAME = ("bpf_wq_set_callback", "bpf_task_work_schedule_")
CALLBACK_HELPERS = frozenset({164, 170, 180, 181, 209})
_NODES = (Pointer(MEMORY, 0), Pointer(MEMORY, 0), UNKNOWN, UNKNOWN, UNKNOWN)
_ELEMENT = (Pointer(MAP), Pointer(MAP_VALUE), Pointer(MAP_VALUE), UNKNOWN, UNKNOWN)
_KERNEL_CALLBACKS: Mapping[str, tuple[Value, ...]] = {
    "bpf_rbtree_add": _NODES,
    "bpf_rbtree_add_impl": _NODES,
    "bpf_wq_set_callback": _ELEMENT,
    "bpf_wq_set_callback_impl": _ELEMENT,
    "bpf_task_work_schedule_resume": _ELEMENT,
    "bpf_task_work_schedule_resume_impl": _ELEMENT,
    "bpf_task_work_schedule_signal": _ELEMENT,
    "bpf_task_work_schedule_signal_impl": _ELEMENT,
}


def as_outer(value: Value) -> Value:
    """``value`` as a called function sees it: our frame is its caller's."""
    if isinstance(value, Pointer) and value.kinds & FRAME:
        inside = value.kinds == FRAME and value.offset is not None and -512 <= value.offset < 0
        place = 0 if inside else None
        return Pointer(
            value.kinds & ~FRAME | OUTER, place, "", value.seen, or_number=value.or_number
        )
    return value


def result_of(role: str, arguments: Sequence[Value], maps: Mapping[str, MapSpec]) -> Value:
    """The value of r0 after a call whose result has ``role``; numbers are unknown."""
    if role == "same":
        return arguments[0]
    if role == "map_value":
        return _element(arguments[0], maps)
    kinds = _RESULTS.get(role)
    return UNKNOWN if kinds is None else Pointer(kinds, 0)


def _element(target: Value, maps: Mapping[str, MapSpec]) -> Value:
    """An element of a map: its value, or what the map holds instead of values."""
    if not isinstance(target, Pointer) or target.kinds != MAP or not target.name:
        return Pointer(MAP_VALUE | MAP | SOCKET)
    names = names_of(target)
    kinds = 0
    for name in names:
        spec = maps.get(name)
        if spec is None:
            kinds |= MAP_VALUE | MAP | SOCKET
        elif spec.map_type in _OF_MAPS:
            kinds |= MAP
        else:
            kinds |= SOCKET if spec.map_type in _OF_SOCKETS else MAP_VALUE
    return Pointer(kinds, 0, target.name if kinds == MAP_VALUE else "")


def redirect_result(helper: int, arguments: Sequence[Value], *, is_xdp: bool) -> Value | None:
    """The result of a redirecting helper; ``None`` for other helpers.

    A redirect that the helper refuses for its flags is a drop: the code for it comes back.
    """
    refused = XDP_ABORTED if is_xdp else TC_ACT_SHOT
    if helper in _REDIRECTS_AWAY:
        return _redirected(arguments[_REDIRECTS_AWAY[helper]], 0, refused)
    if helper == REDIRECT:
        result = _redirected(arguments[1], 0 if is_xdp else _INGRESS, refused)
        if _is_no_interface(arguments[0]):
            return of_constants(frozenset({refused, *seen_in(result)}))
        return result
    if helper == REDIRECT_MAP:
        # The two low bits of the flags are returned if the key is not in the map (since 5.3).
        flags = constants(arguments[2])
        if flags is None or any(flag > MASK64 for flag in flags):
            return UNKNOWN._replace(seen=frozenset({REDIRECTED}))
        found = set()
        for flag in flags:
            if flag & ~_XDP_MAP_FLAGS:
                found.add(refused)
                continue
            found.add(REDIRECTED)
            if flag & _ACTION:
                found.add(flag & _ACTION)
        return of_constants(frozenset(found))
    return None


def _redirected(given: Value, allowed: int, refused: int) -> Value:
    """The result of a redirect to an interface, by its flags."""
    flags = constants(given)
    if flags is None:
        return of_constants(frozenset({REDIRECTED, refused}))
    return of_constants(frozenset(refused if flag & ~allowed else REDIRECTED for flag in flags))


def _is_no_interface(index: Value) -> bool:
    """Whether an interface of that number cannot be: what is sent there is dropped."""
    numbers = constants(index)
    return numbers is not None and any(signed(each, 32) <= 0 for each in numbers)


def runs_later(helper: int | None, name: str) -> bool:
    """Whether a callback runs after the program, from a timer or a work queue."""
    return helper in _LATER or name.startswith(_LATER_BY_NAME)


def callback_arguments(
    helper: int | None, name: str, arguments: Sequence[Value]
) -> tuple[Value, ...]:
    """r1 to r5 of a callback that was given to a call.

    Args:
        helper: number, ``None`` for a kernel function.
        name: of the kernel function.
    """
    if helper == 164:  # for_each_map_elem: callback(map, key, value, context)
        first = arguments[0]
        of = first.name if isinstance(first, Pointer) else ""
        value = Pointer(MAP_VALUE, 0, of)
        return (first, Pointer(MAP_VALUE), value, as_outer(arguments[2]), UNKNOWN)
    if helper == 170:  # timer_set_callback: callback(map, key, value)
        return _ELEMENT
    if helper == 180:  # find_vma: callback(task, vma, context)
        return (Pointer(KERNEL), Pointer(KERNEL), as_outer(arguments[3]), UNKNOWN, UNKNOWN)
    if helper == 209:  # user_ringbuf_drain: callback(dynptr, context)
        return (Pointer(DYNPTR, 0), as_outer(arguments[2]), UNKNOWN, UNKNOWN, UNKNOWN)
    sources = None if helper is None else _CALLBACK_ARGUMENTS.get(helper)
    if sources is None:
        return _KERNEL_CALLBACKS.get(name, (ANYTHING,) * 5)
    given: list[Value] = [
        UNKNOWN if source is None else as_outer(arguments[source - 1]) for source in sources
    ]
    return (*given, *(UNKNOWN,) * (5 - len(given)))


def callbacks_in(arguments: Sequence[Value]) -> list[str]:
    """Names of the functions among ``arguments``; empty for one that is not known."""
    found: list[str] = []
    for value in arguments:
        if isinstance(value, Pointer) and value.kinds & FUNCTION and value.kinds != ANYTHING.kinds:
            found += names_of(value) or ("",)
    return found
