"""A question whether something exists is no address; every other use is one."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Part,
    add,
    alu,
    analysed,
    call,
    copy,
    function,
    jump,
    jump_if_equal,
    jump_if_not_equal,
    kernel_call,
    leave,
    load,
    local,
    mov,
    permissions,
    store,
    symbol_address,
)
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.control_flow import flow_of
from skep.bytecode.analysis.existence import Steps, is_only_asked_for
from skep.bytecode.objectfile.model import Extern

NAME = "bpf_rcu_read_lock"
ADDRESS = symbol_address(R1, NAME)


def asks_only(*listing: Part) -> bool:
    made = function("f", *listing)
    return is_only_asked_for(flow_of(made), made.relocations[0].slot, Steps())


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param([ADDRESS, leave(0)], id="never-used"),
        pytest.param([ADDRESS, jump_if_equal(R1, 0, 1), mov(R0, 1), EXIT], id="equal"),
        pytest.param([ADDRESS, jump_if_not_equal(R1, 0, 1), mov(R0, 1), EXIT], id="not-equal"),
        pytest.param(
            [ADDRESS, copy(R6, R1), jump_if_equal(R6, 0, 1), mov(R0, 1), EXIT], id="copied"
        ),
        pytest.param([ADDRESS, mov(R1, 0), add(R1, 1), leave(0)], id="overwritten"),
        pytest.param([ADDRESS, call(5), leave(0)], id="call-without-arguments"),
        pytest.param(
            [symbol_address(R3, NAME), mov(R1, 9), call(109), leave(0)], id="call-of-fewer"
        ),
        pytest.param([ADDRESS, kernel_call(NAME), leave(0)], id="kernel-function"),
        pytest.param(
            [symbol_address(R0, NAME), jump_if_not_equal(R0, 0, 1), EXIT, leave(0)],
            id="zero-is-no-address",
        ),
    ],
)
def test_asked_for(listing: list[Part]) -> None:
    assert asks_only(*listing)


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param([ADDRESS, copy(R0, R1), EXIT], id="result"),
        pytest.param([ADDRESS, store(8, R10, -8, R1), leave(0)], id="stored"),
        pytest.param([ADDRESS, load(8, R0, R1), EXIT], id="read-through"),
        pytest.param([ADDRESS, add(R1, 1), leave(0)], id="added-to"),
        pytest.param([ADDRESS, alu(0x0F, R2, source=R1), leave(0)], id="added"),
        pytest.param([ADDRESS, alu(0xBC, R2, source=R1), leave(0)], id="low-half-copied"),
        pytest.param([ADDRESS, alu(0x87, R1), leave(0)], id="negated"),
        pytest.param([ADDRESS, jump_if_equal(R1, 7, 0), leave(0)], id="compared-with-a-number"),
        pytest.param([ADDRESS, alu(0x1D, R2, source=R1), leave(0)], id="compared-with-a-register"),
        pytest.param([ADDRESS, alu(0x25, R1), leave(0)], id="which-is-greater"),
        pytest.param([ADDRESS, call(109), leave(0)], id="given-to-a-helper"),
        pytest.param([ADDRESS, call(4999), leave(0)], id="given-to-an-unknown-helper"),
        pytest.param([ADDRESS, kernel_call("bpf_strlen"), leave(0)], id="given-to-a-function"),
        pytest.param([ADDRESS, local("g"), leave(0)], id="given-to-a-local-function"),
        pytest.param(
            [ADDRESS, jump_if_equal(R1, 0, 1), copy(R6, R1), mov(R0, 0), copy(R0, R6), EXIT],
            id="used-later",
        ),
        pytest.param([ADDRESS, jump(1), mov(R1, 0), copy(R0, R1), EXIT], id="past-a-dead-move"),
    ],
)
def test_used(listing: list[Part]) -> None:
    assert not asks_only(*listing)


def test_a_loop_ends() -> None:
    assert asks_only(ADDRESS, jump_if_not_equal(R1, 0, -1), leave(0))


def test_past_the_limit_it_counts_as_used() -> None:
    assert not asks_only(symbol_address(R6, NAME), [mov(R0, 0)] * 30_000, EXIT)


def test_only_a_weak_name_can_be_asked_for() -> None:
    listing: list[Part] = [ADDRESS, jump_if_equal(R1, 0, 1), mov(R0, 2), EXIT]
    weak = analysed(*listing, externs=[Extern(NAME, "kfunc", is_weak=True)])
    strong = analysed(*listing, externs=[Extern(NAME, "kfunc")])
    assert "kernel.kallsyms" not in permissions(weak)
    assert permissions(strong)["kernel.kallsyms"] == "declared"


def test_a_compiled_question_shows_no_address() -> None:
    report = analyse(fixture("presence"))
    found = {each.id for each in report.program("by_function").permissions}
    assert "kernel.kallsyms" not in found
    assert "proc.signal" in found
