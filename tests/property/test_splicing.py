"""The law of splicing: a chain does what its members do one after another, in a real kernel."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders.kernels import running_types
from tests.builders.random_programs import chains, packets

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import ProgramPlan
from skep.chains.member import Member
from skep.chains.splicing import splice
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.running import test_run as run

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: bpf(2)"),
]

PROG_ARRAY = 3
Contents = list[list[tuple[bytes, bytes]]]


def contents(maps: Sequence[LoadedMap]) -> Contents:
    return [sorted(each.items()) for each in maps if each.map_type != PROG_ARRAY]


def make_maps(stack: ExitStack, member: Member) -> list[LoadedMap]:
    return [stack.enter_context(create_map(each)) for each in member.maps]


def load_alone(stack: ExitStack, member: Member) -> tuple[LoadedProgram, list[LoadedMap]]:
    maps = make_maps(stack, member)
    return stack.enter_context(load_program(on_zeros(member), maps)), maps


def on_zeros(member: Member) -> ProgramPlan:
    """Its program with all of its stack cleared first: one of the things it may find alone."""
    program, depth = member.program, member.stack_bytes or 0
    zeros = tuple(Instruction(0x7A, 10, 0, offset) for offset in range(-depth, 0, 8))
    return replace(
        program,
        instructions=(*zeros, *program.instructions),
        subprograms=(0, *(start + len(zeros) for start in program.subprograms[1:])),
    )


def throw_number() -> int:
    """Of ``bpf_throw`` in this kernel, 0 if it has none or does not tell (before 6.7)."""
    if not VMLINUX.exists():
        return 0
    return next(iter(running_types().find("bpf_throw", Kind.FUNC)), 0)


def one_after_another(
    members: Sequence[Member], programs: Sequence[LoadedProgram], packet: bytes
) -> tuple[int, bytes]:
    """The reference: run each alone until one returns a code it does not go on at."""
    for member, program in zip(members, programs, strict=True):
        answer = run(program, packet)
        packet = answer.data
        if answer.return_value not in member.run_on:
            break
    return answer.return_value, packet


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    members=st.deferred(lambda: chains(throw_number())),
    frames=st.lists(packets, min_size=1, max_size=4),
    is_stack_known=st.booleans(),
)
def test_a_spliced_chain_does_what_its_members_do_one_after_another(
    *, members: tuple[Member, ...], frames: list[bytes], is_stack_known: bool
) -> None:
    with ExitStack() as stack:
        alone = [load_alone(stack, member) for member in members]
        told = []
        for member, (program, _) in zip(members, alone, strict=True):
            depth = program.stack_bytes
            assert depth is not None
            # Without subprograms there is room at the very bottom, so not knowing must do too.
            without_subprograms = all(len(m.program.subprograms) == 1 for m in members)
            unknown = not is_stack_known and without_subprograms
            told.append(replace(member, stack_bytes=None if unknown else depth))
        chain = splice(told)
        chain_maps = [each for member in members for each in make_maps(stack, member)]
        whole = stack.enter_context(load_program(chain.program, chain_maps))
        for frame in frames:
            answer = run(whole, frame)
            programs = [program for program, _ in alone]
            assert (answer.return_value, answer.data) == one_after_another(members, programs, frame)
            assert contents(chain_maps) == contents([m for _, maps in alone for m in maps])
