"""What people are told when the kernel refuses a member or a chain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.deployments import hash_map, linked, returning
from tests.fakes.kernel import FakeKernel, FakeProgram

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import KernelName, LinePlace, ProgramPlan
from skep.chains.fingerprints import chain_member, kernel_name
from skep.chains.member import CannotSplice
from skep.chains.planning import Chain, LinkedDeployment
from skep.errors import Refused
from skep.node.converging.composing import ChainRefused, MemberRefused, compose
from skep.node.ports import MapPin, ProgramRefused
from skep.node.records import Measured

BUILDER = BtfBuilder()
FILE, TEXT = BUILDER.string("/src/limit.bpf.c"), BUILDER.string("\tverdict = *rate;")
BTF = BUILDER.build()


@dataclass
class Refusal:
    """What the kernel refuses: a name of a program in it, and where."""

    name: str
    slot: int | None


class FullKernel(FakeKernel):
    """Refuses a program for another reason than its instructions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def load(
        self, program: ProgramPlan, maps: Sequence[MapPin], name: str, types: bytes | None = None
    ) -> FakeProgram:
        if self.name in (name, program.name):
            raise Refused("no room", hint="make room", detail="the log")
        return super().load(program, maps, name, types)


class PickyKernel(FakeKernel):
    """Refuses one program."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal
        self.given: list[tuple[str, ProgramPlan, bytes | None]] = []

    def load(
        self, program: ProgramPlan, maps: Sequence[MapPin], name: str, types: bytes | None = None
    ) -> FakeProgram:
        self.given.append((name, program, types))
        if self.refusal.name in (name, program.name):
            raise ProgramRefused(
                "refused",
                reason="R0 may be NULL here",
                slot=self.refusal.slot,
                hint="look there",
                detail="the log",
            )
        return super().load(program, maps, name, types)


def member(name: str) -> LinkedDeployment:
    lines = (LinePlace(0, FILE, TEXT, 82 << 10),)
    return replace(linked(name, program=replace(returning(2, name), lines=lines)), types=BTF)


def compose_two(kernel: FakeKernel, one: LinkedDeployment, two: LinkedDeployment) -> None:
    chain = Chain.of([chain_member(each.deployment) for each in (one, two)])
    composed = compose(kernel, chain, {each.deployment.name: each for each in (one, two)})
    composed.program.close()


def test_a_member_is_named_with_its_line() -> None:
    with pytest.raises(MemberRefused) as caught:
        compose_two(PickyKernel(Refusal("second", 1)), member("first"), member("second"))
    assert caught.value.message.splitlines() == [
        "the kernel's verifier refused second",
        "limit.bpf.c:82  verdict = *rate;",
        "R0 may be NULL here",
    ]
    assert caught.value.detail == "the log"
    assert caught.value.family == "refused"


def test_a_member_without_lines_is_named_with_the_reason() -> None:
    kernel = PickyKernel(Refusal("second", 0))
    with pytest.raises(MemberRefused) as caught:
        compose_two(kernel, member("first"), linked("second"))
    assert caught.value.message.splitlines() == [
        "the kernel's verifier refused second",
        "R0 may be NULL here",
    ]


@pytest.mark.parametrize(
    ("slot", "middle"),
    [
        (0, []),  # the splicer's own
        (1, ["in first", "limit.bpf.c:82  verdict = *rate;"]),
        (6, ["in second", "limit.bpf.c:82  verdict = *rate;"]),
        (None, []),
    ],
)
def test_in_a_chain_the_line_is_looked_up_in_the_member(
    slot: int | None, middle: list[str]
) -> None:
    kernel = PickyKernel(Refusal("skep_chain", slot))
    with pytest.raises(ChainRefused) as caught:
        compose_two(kernel, member("first"), member("second"))
    assert caught.value.message.splitlines() == [
        "the kernel's verifier refused the chain first, second, though it accepts each alone",
        *middle,
        "R0 may be NULL here",
    ]


def test_a_member_that_is_refused_for_another_reason_is_named_too() -> None:
    with pytest.raises(MemberRefused) as caught:
        compose_two(FullKernel("second"), member("first"), member("second"))
    assert caught.value.message == "the kernel refuses second: no room"
    assert (caught.value.hint, caught.value.detail) == ("make room", "the log")


def test_a_chain_that_is_refused_for_another_reason_is_named_too() -> None:
    with pytest.raises(ChainRefused) as caught:
        compose_two(FullKernel("skep_chain"), member("first"), member("second"))
    assert caught.value.message == (
        "the kernel refuses the chain first, second, though it accepts each alone: no room"
    )
    assert (caught.value.hint, caught.value.detail) == ("make room", "the log")


def test_hint_and_log_of_the_verifier_are_passed_on() -> None:
    for name, kind in (("first", MemberRefused), ("skep_chain", ChainRefused)):
        with pytest.raises(kind) as caught:
            compose_two(PickyKernel(Refusal(name, None)), member("first"), member("second"))
        assert (caught.value.hint, caught.value.detail) == ("look there", "the log")


def test_one_alone_keeps_the_types_and_functions_of_its_object() -> None:
    kernel = PickyKernel(Refusal("", None))
    one = member("first")
    needing = replace(one, program=replace(one.program, needs_types=True))
    making = KernelName(0, "function", "bpf_obj_new_impl", 7)
    needing = replace(needing, program=replace(needing.program, kernel_names=(making,)))
    chain = Chain.of([chain_member(one.deployment)])
    compose(kernel, chain, {"first": needing})
    assert [(name, types) for name, _, types in kernel.given] == [
        ("skep_alone", BTF),
        (kernel_name(chain.fingerprint), BTF),
    ]
    assert kernel.given[1][1].functions == needing.program.functions


def test_what_each_member_needs_alone_is_measured_and_let_go() -> None:
    kernel = FakeKernel()
    one, two = member("first"), member("second")
    tail = (Instruction(0x85, immediate=12), Instruction(0x95))
    two = replace(two, program=replace(two.program, instructions=tail, lines=()))
    chain = Chain.of([chain_member(each.deployment) for each in (one, two)])
    composed = compose(kernel, chain, {"first": one, "second": two})
    ends = Measured(2, 0, may_tail_call=True)
    assert composed.measured == {"first": Measured(2, 0, may_tail_call=False), "second": ends}
    assert kernel.open_programs() == [kernel_name(chain.fingerprint)]


def loading_a_map(name: str) -> ProgramPlan:
    """``r1 = map 0; r0 = 2; exit``."""
    load = (Instruction(0x18, 1, 5), Instruction(0))
    plain = returning(2, name)
    return replace(plain, instructions=(*load, *plain.instructions))


def test_a_chain_gets_the_maps_of_its_members_in_the_order_of_the_splice() -> None:
    kernel = FakeKernel()
    made = {}
    for name in ("first", "second"):
        plan = hash_map("counts", entries=len(name))
        kernel.create_map(name, "counts", plan)
        made[name] = linked(name, maps=[plan], program=loading_a_map(name))
    chain = Chain.of([chain_member(each.deployment) for each in made.values()])
    composed = compose(kernel, chain, made)
    assert isinstance(composed.program, FakeProgram)
    assert composed.program.maps == tuple(
        kernel.maps[name, "counts"].identity for name in ("first", "second")
    )


def test_a_chain_gets_types_only_if_a_member_needs_them() -> None:
    kernel = PickyKernel(Refusal("", None))
    compose_two(kernel, member("first"), member("second"))
    assert [types for _, _, types in kernel.given] == [BTF, BTF, None]
    needing = member("second")
    below = (Instruction(0x85, immediate=12), Instruction(0xB7), Instruction(0x95))
    call = Instruction(0x85, 0, 1, 0, 1)
    code = (call, Instruction(0x95), *below)
    program = replace(
        needing.program, instructions=code, subprograms=(0, 2), needs_types=True, lines=()
    )
    compose_two(kernel, member("first"), replace(needing, program=program))
    _, spliced, types = kernel.given[-1]
    assert types is not None
    assert spliced.needs_types
    assert [each.slot for each in spliced.functions] == list(spliced.subprograms)


def test_a_member_that_makes_objects_of_its_own_types_runs_alone() -> None:
    names = (KernelName(0, "function", "bpf_obj_new_impl", 7),)
    second = member("second")
    making = replace(second, program=replace(second.program, kernel_names=names))
    with pytest.raises(CannotSplice, match="'second' makes objects"):
        compose_two(PickyKernel(Refusal("", None)), member("first"), making)
    # Something else of that name makes none.
    variable = (names[0]._replace(kind="variable"),)
    naming = replace(second, program=replace(second.program, kernel_names=variable))
    compose_two(PickyKernel(Refusal("", None)), member("first"), naming)
