"""What calls give back: redirects by their flags, elements of maps, arguments of callbacks."""

import pytest

from skep.bytecode.analysis.effects import (
    as_outer,
    callback_arguments,
    callbacks_in,
    redirect_result,
    result_of,
    runs_later,
)
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
    REDIRECTED,
    SOCKET,
    UNKNOWN,
    Pointer,
    Value,
    constants,
    seen_in,
)
from skep.bytecode.objectfile.model import MapSpec

REDIRECT, REDIRECT_MAP, NEIGHBOUR, PEER = 23, 51, 152, 155
ABORTED, SHOT = 0, 2
MAPS = {
    "values": MapSpec("values", 1, 4, 8, 16),
    "more": MapSpec("more", 2, 4, 8, 16),
    "maps": MapSpec("maps", 13, 4, 4, 16),
    "sockets": MapSpec("sockets", 15, 4, 4, 16),
}


def given(*values: Value) -> tuple[Value, ...]:
    return (*values, *(UNKNOWN,) * (5 - len(values)))


@pytest.mark.parametrize(
    ("helper", "arguments", "is_xdp", "expected"),
    [
        pytest.param(REDIRECT, given(3, 0), True, {REDIRECTED}, id="plain"),
        pytest.param(REDIRECT, given(3, 1), False, {REDIRECTED}, id="ingress"),
        pytest.param(REDIRECT, given(3, 1), True, {ABORTED}, id="xdp-has-no-ingress"),
        pytest.param(REDIRECT, given(3, 0xFF), False, {SHOT}, id="refused"),
        pytest.param(REDIRECT, given(3), True, {REDIRECTED, ABORTED}, id="any-flags"),
        pytest.param(REDIRECT, given(0, 0), False, {REDIRECTED, SHOT}, id="interface-0"),
        pytest.param(REDIRECT, given(MASK64, 0), True, {REDIRECTED, ABORTED}, id="interface--1"),
        pytest.param(NEIGHBOUR, given(3, 0, 0, 0), False, {REDIRECTED}, id="neighbour"),
        pytest.param(NEIGHBOUR, given(3, 0, 0, 1), False, {SHOT}, id="neighbour-refused"),
        pytest.param(PEER, given(3, 0), False, {REDIRECTED}, id="peer"),
        pytest.param(PEER, given(3, 1), False, {SHOT}, id="peer-refused"),
        pytest.param(PEER, given(3, frozenset({0, 1})), False, {REDIRECTED, SHOT}, id="peer-both"),
        pytest.param(REDIRECT_MAP, given(0, 0, 0), True, {REDIRECTED}, id="map"),
        pytest.param(REDIRECT_MAP, given(0, 0, 2), True, {REDIRECTED, 2}, id="map-or-pass"),
        pytest.param(REDIRECT_MAP, given(0, 0, 8), True, {REDIRECTED}, id="broadcast"),
        pytest.param(REDIRECT_MAP, given(0, 0, 64), True, {ABORTED}, id="map-refused"),
    ],
)
def test_redirects(
    helper: int, arguments: tuple[Value, ...], *, is_xdp: bool, expected: set[int]
) -> None:
    found = redirect_result(helper, arguments, is_xdp=is_xdp)
    assert found is not None
    assert constants(found) == frozenset(expected)


def test_a_redirect_whose_fallback_is_unknown_may_be_any_verdict() -> None:
    found = redirect_result(REDIRECT_MAP, given(), is_xdp=True)
    assert found == UNKNOWN._replace(seen=frozenset({REDIRECTED}))
    assert redirect_result(1, given(), is_xdp=True) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(Pointer(MAP, 0, "values"), Pointer(MAP_VALUE, 0, "values"), id="value"),
        pytest.param(
            Pointer(MAP, 0, "more\0values"), Pointer(MAP_VALUE, 0, "more\0values"), id="two-maps"
        ),
        pytest.param(Pointer(MAP, 0, "maps"), Pointer(MAP, 0), id="map-of-maps"),
        pytest.param(Pointer(MAP, 0, "sockets"), Pointer(SOCKET, 0), id="socket"),
        pytest.param(
            Pointer(MAP, 0, "sockets\0values"), Pointer(SOCKET | MAP_VALUE, 0), id="mixed"
        ),
        pytest.param(Pointer(MAP), Pointer(MAP_VALUE | MAP | SOCKET), id="inner-map"),
        pytest.param(UNKNOWN, Pointer(MAP_VALUE | MAP | SOCKET), id="unknown"),
    ],
)
def test_an_element_is_what_the_map_holds(target: Value, expected: Value) -> None:
    assert result_of("map_value", given(target), MAPS) == expected


def test_results() -> None:
    assert result_of("kernel_object", given(), MAPS) == Pointer(KERNEL, 0)
    assert result_of("memory", given(), MAPS) == Pointer(MEMORY, 0)
    assert result_of("same", given(7), MAPS) == 7
    assert result_of("number", given(), MAPS) == UNKNOWN


def test_a_callee_sees_the_stack_of_its_caller() -> None:
    seen = frozenset({0})
    assert as_outer(Pointer(FRAME | KERNEL, -8, "", seen)) == Pointer(OUTER | KERNEL, seen=seen)
    assert as_outer(5) == 5


@pytest.mark.parametrize(
    ("helper", "name", "arguments", "expected"),
    [
        pytest.param(
            181, "", given(9, 0, Pointer(FRAME, -8)), (UNKNOWN, Pointer(OUTER, 0)), id="loop"
        ),
        pytest.param(
            164,
            "",
            given(Pointer(MAP, 0, "values"), 0, Pointer(FRAME, -8)),
            (Pointer(MAP, 0, "values"), Pointer(MAP_VALUE), Pointer(MAP_VALUE, 0, "values")),
            id="elements",
        ),
        pytest.param(180, "", given(), (Pointer(KERNEL), Pointer(KERNEL)), id="memory-area"),
        pytest.param(209, "", given(), (Pointer(DYNPTR, 0),), id="user-ring-buffer"),
        pytest.param(170, "", given(), (Pointer(MAP), Pointer(MAP_VALUE)), id="timer"),
        pytest.param(
            None,
            "bpf_rbtree_add_impl",
            given(),
            (Pointer(MEMORY, 0), Pointer(MEMORY, 0)),
            id="tree",
        ),
        pytest.param(None, "bpf_new_thing", given(), (ANYTHING,) * 5, id="not-yet-known"),
    ],
)
def test_arguments_of_callbacks(
    helper: int | None, name: str, arguments: tuple[Value, ...], expected: tuple[Value, ...]
) -> None:
    found = callback_arguments(helper, name, arguments)
    assert len(found) == 5
    assert found[: len(expected)] == expected


def test_callbacks_are_found_among_arguments() -> None:
    two = Pointer(FUNCTION, 0, "one\0two")
    assert callbacks_in(given(1, two)) == ["one", "two"]
    assert callbacks_in(given(Pointer(FUNCTION | KERNEL))) == [""]
    assert callbacks_in(given(ANYTHING)) == []


def test_what_runs_later() -> None:
    assert runs_later(170, "")
    assert runs_later(None, "bpf_wq_set_callback_impl")
    assert runs_later(None, "bpf_task_work_schedule_signal")
    assert not runs_later(181, "")
    assert not runs_later(None, "bpf_rbtree_add")


def test_a_redirect_of_unknown_interface_is_one() -> None:
    found = redirect_result(REDIRECT, given(UNKNOWN, 0), is_xdp=False)
    assert found is not None
    assert seen_in(found) == {REDIRECTED}
