"""Spliced chains in the running kernel: the cases with a name."""

from collections.abc import Iterable
from contextlib import ExitStack

import pytest
from tests.builders.compiled import bundled_plan, compiled_plan
from tests.builders.kernel_programs import array, counting, key, number, returning
from tests.builders.members import member
from tests.builders.packets import tcp_frame, udp_frame

from skep.bytecode.isa.codes import LDDW, PSEUDO_MAP_INDEX
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import MapPlan
from skep.chains.member import CannotSplice, Member
from skep.chains.splicing import splice
from skep.kernel.errors import VerifierRefused
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.running import test_run as run

pytestmark = pytest.mark.kernel

DROP, PASS = 1, 2
FRAME = udp_frame(9)


def load(stack: ExitStack, members: list[Member]) -> tuple[LoadedProgram, list[LoadedMap]]:
    maps = [stack.enter_context(create_map(plan)) for each in members for plan in each.maps]
    return stack.enter_context(load_program(splice(members).program, maps)), maps


def tail_calling(then: Iterable[Slot]) -> tuple[Slot, ...]:
    """Try to tail-call slot 0 of map 0, an empty program array, then go on."""
    return (
        Slot(0xBF, 6, 1),
        Slot(LDDW, 2, PSEUDO_MAP_INDEX, 0, 0),
        Slot(0),
        Slot(0xB7, 3),
        Slot(0x85, 0, 0, 0, 12),
        *then,
    )


TARGETS = MapPlan("targets", 3, 4, 4, 1)


def test_a_tail_call_that_falls_through_goes_on_in_the_chain() -> None:
    members = [
        member("a", tail_calling(counting(PASS, 1)), maps=[TARGETS, array("a")], stack_bytes=4),
        member("b", tail_calling(counting(DROP, 1)), maps=[TARGETS, array("b")], stack_bytes=4),
        member("c", counting(PASS), maps=[array("c")], stack_bytes=4),
    ]
    with ExitStack() as stack:
        program, maps = load(stack, members)
        assert run(program, FRAME).return_value == DROP
        assert [number(each.lookup(key(0))) for each in maps if each.map_type != 3] == [1, 1, 0]


def test_a_tail_call_that_succeeds_leaves_the_chain() -> None:
    members = [
        member("a", tail_calling(counting(PASS, 1)), maps=[TARGETS, array("a")], stack_bytes=4),
        member("b", counting(PASS), maps=[array("b")], stack_bytes=4),
    ]
    with ExitStack() as stack:
        target = stack.enter_context(load_program(member("t", returning(3)).program, []))
        program, maps = load(stack, members)
        maps[0].update(key(0), target.descriptor.number.to_bytes(4, "little"))
        assert run(program, FRAME).return_value == 3
        assert [number(each.lookup(key(0))) for each in maps[1:]] == [0, 0]


def test_the_bundled_programs_work_as_a_chain_in_both_orders() -> None:
    plans = {name: bundled_plan(name) for name in ("ratelimiting", "port-filter")}
    for order in (list(plans), list(reversed(plans))):
        members = [
            Member(name, plans[name].programs[0], plans[name].maps, frozenset({PASS}), 64)
            for name in order
        ]
        with ExitStack() as stack:
            program, maps = load(stack, members)
            by_name = {each.name: each for each in maps}
            by_name["rl_ports"].update((80).to_bytes(2, "little"), b"\1")
            by_name["pf_ports"].update((80).to_bytes(2, "little"), b"\1")
            by_name["pf_ports"].update((81).to_bytes(2, "little"), b"\1")

            def count(name: str, among: dict[str, LoadedMap] = by_name) -> int:
                values = among[name].lookup_per_cpu(key(0))
                return sum(int.from_bytes(value, "little") for value in values)

            assert run(program, tcp_frame(82)).return_value == PASS
            assert run(program, tcp_frame(81)).return_value == DROP
            assert run(program, tcp_frame(80)).return_value == DROP  # the rate is 0: either drops
            first_is_limiter = order[0] == "ratelimiting"
            assert count("rl_dropped") == (1 if first_is_limiter else 0)
            assert count("pf_seen") == (2 if first_is_limiter else 3)


def test_a_wrong_stack_depth_is_a_refused_load_not_a_wrong_program() -> None:
    clobbering = (Slot(0x7A, 10, 0, -8, 4711), *returning(PASS))  # says 0 bytes, uses 8
    reading_context = (Slot(0x61, 0, 1, 0), *returning(PASS))
    members = [member("a", clobbering, stack_bytes=0), member("b", reading_context)]
    with ExitStack() as stack, pytest.raises(VerifierRefused, match="R1 invalid mem access"):
        load(stack, members)


def test_one_member_that_is_not_gpl_makes_the_kernel_refuse_gpl_helpers_of_others() -> None:
    source = """
#include <skep/helpers.bpf.h>
#include <skep/sections.bpf.h>
SEC("xdp") int prints(struct xdp_md *ctx)
{
	char text[4] = "hi";

	bpf_trace_printk(text, sizeof(text));
	return 2;
}
LICENSE("GPL");
"""
    plan = compiled_plan(source)
    prints = Member("prints", plan.programs[0], plan.maps, frozenset({PASS}), 8)
    with ExitStack() as stack:
        load(stack, [prints, member("free", licence="Dual MIT/GPL")])
    with ExitStack() as stack, pytest.raises(VerifierRefused, match="GPL"):
        load(stack, [prints, member("owned", licence="Proprietary")])


def test_members_with_the_whole_stack_run_alone_but_not_in_a_chain() -> None:
    deep = member("deep", (Slot(0x7A, 10, 0, -512, 1), *returning(PASS)), stack_bytes=512)
    with ExitStack() as stack:
        program, _ = load(stack, [deep])
        assert (run(program, FRAME).return_value, program.stack_bytes) == (PASS, 512)
    with pytest.raises(CannotSplice, match="'deep' uses 512 bytes"):
        splice([deep, member("b")])


def test_twelve_members_are_one_program() -> None:
    members = [
        member(f"m{n}", counting(PASS), maps=[array(f"m{n}")], stack_bytes=4) for n in range(12)
    ]
    with ExitStack() as stack:
        program, maps = load(stack, members)
        assert run(program, FRAME, repeat=3).return_value == PASS
        assert [number(each.lookup(key(0))) for each in maps] == [3] * 12
