"""Laws of plans, over random declared and random found states on a fake kernel."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.deployments import array_map, deployment, hash_map, linked, returning, rodata
from tests.fakes.composing import fake_compose
from tests.fakes.faults import Fault, PlannedFailure
from tests.fakes.kernel import FakeKernel
from tests.fakes.state import MemoryState

from skep.bytecode.linking.plan import MapPlan
from skep.chains.fingerprints import kernel_name
from skep.chains.planning import Chain, LinkedDeployment, MapSetting, Observed, Plan, plan
from skep.errors import SkepError
from skep.hooks.table import HookTarget, parse_hook_target
from skep.node.converging.executing import Interpreter
from skep.node.converging.inspecting import declared_chain, observe
from skep.node.looking.locating import Spot, Survey, survey
from skep.node.records import Installed

TARGETS = [parse_hook_target("xdp:eth0"), parse_hook_target("xdp:eth1")]
NAMES = ["a", "b", "c"]


@st.composite
def deployments(draw: st.DrawFn, name: str) -> LinkedDeployment:
    maps: list[MapPlan] = []
    wanted: list[MapSetting] = []
    if draw(st.booleans()):
        maps.append(array_map("config", entries=2))
        if draw(st.booleans()):
            value = draw(st.integers(0, 3)).to_bytes(8, "little")
            wanted.append(MapSetting("config", ((bytes(4), value),)))
    if draw(st.booleans()):
        maps.append(hash_map("ports"))
        keys = draw(st.sets(st.integers(0, 3)))
        entries = tuple(sorted((k.to_bytes(4, "little"), bytes(8)) for k in keys))
        wanted.append(MapSetting("ports", entries, whole=True))
    if draw(st.booleans()):
        maps.append(rodata(draw(st.sampled_from([b"1111", b"2222"]))))
    return linked(
        name,
        on=str(draw(st.sampled_from(TARGETS))),
        order=draw(st.integers(0, 3)),
        maps=maps,
        settings=wanted,
    )


@st.composite
def declared(draw: st.DrawFn) -> list[LinkedDeployment]:
    names = draw(st.sets(st.sampled_from(NAMES)))
    return [draw(deployments(name)) for name in sorted(names)]


@dataclass
class World:
    kernel: FakeKernel
    before: list[LinkedDeployment]

    def observed(self, desired: list[LinkedDeployment]) -> Observed:
        committed = [one.deployment for one in self.before]
        looked, spots = self.spots()
        return observe(self.kernel, committed, desired, spots, NAMES, looked)

    def spots(self) -> tuple[Survey, dict[HookTarget, Spot]]:
        """Where all targets are, as if something were declared on each."""
        installed = [
            Installed(deployment(f"on-{on.target}", on=str(on)), "2026-11-23T08:00:00Z")
            for on in TARGETS
        ]
        looked = survey(self.kernel, installed)
        return looked, dict(looked.spots)


def interpreter(kernel: FakeKernel) -> Interpreter:
    return Interpreter(
        kernel, MemoryState(), lambda: datetime(2026, 11, 23, tzinfo=UTC), fake_compose
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A kernel where something was installed, and then some of it was damaged."""
    before = draw(declared())
    kernel = FakeKernel()
    world = World(kernel, [])
    steps = plan(before, world.observed(before))
    do(world, steps, before)
    for key in sorted(kernel.maps):
        match draw(st.sampled_from(["keep", "keep", "retire", "lose"])):
            case "retire":
                kernel.retire_map(*key)
            case "lose":
                kernel.delete_map(*key)
    for (name, pin), one in sorted(kernel.maps.items()):
        if one.plan.map_type == 1 and draw(st.booleans()):
            kernel.write_entries(name, pin, {b"\x09\0\0\0": b"\x07" * 8}, [])
    for link in kernel.links():
        match draw(st.sampled_from(["keep", "keep", "lose", "other"])):
            case "lose":
                kernel.detach(link)
            case "other":
                was = kernel.running(link)
                other = kernel.load(returning(2), [], kernel_name("0123456789"))
                kernel.replace(link, other, was)
    return World(kernel, before)


def do(world: World, steps: Plan, desired: list[LinkedDeployment]) -> None:
    _, spots = world.spots()
    interpreter(world.kernel).run("change", steps, desired, spots, lambda _: [])


@settings(deadline=None, max_examples=40)
@given(worlds(), declared())
def test_after_a_plan_was_done_there_is_nothing_left_to_plan(
    world: World, desired: list[LinkedDeployment]
) -> None:
    do(world, plan(desired, world.observed(desired)), desired)
    assert plan(desired, world.observed(desired)) == Plan()
    for on in TARGETS:
        chain = declared_chain([one.deployment for one in desired], on)
        there = world.observed(desired).chains.get(on, Chain())
        assert there.fingerprint == chain.fingerprint


@settings(deadline=None, max_examples=40)
@given(worlds(), declared(), st.data())
def test_undo_after_do_is_nothing_wherever_it_stops(
    world: World, desired: list[LinkedDeployment], data: st.DataObject
) -> None:
    kernel = world.kernel
    steps = plan(desired, world.observed(desired))
    before = kernel.snapshot()
    held = [program for program in kernel.handles if program.is_open]
    fault = Fault(data.draw(st.integers(0, 12)), kills=False)
    try:
        _, spots = world.spots()
        interpreter(fault.over(kernel)).run("change", steps, desired, spots, lambda _: [])
    except PlannedFailure:
        # purging comes after the commit and logs its failures, so this one is from a step
        assert kernel.snapshot() == before
    assert [program for program in kernel.handles if program.is_open] == held


@settings(deadline=None, max_examples=40)
@given(worlds(), declared())
def test_a_failing_commit_undoes_every_step(world: World, desired: list[LinkedDeployment]) -> None:
    steps = plan(desired, world.observed(desired))
    before = world.kernel.snapshot()

    def fail(_: object) -> list[object]:
        raise SkepError("the disk is full")

    _, spots = world.spots()
    with pytest.raises(SkepError, match="disk"):
        interpreter(world.kernel).run("change", steps, desired, spots, fail)  # type: ignore[arg-type]
    assert world.kernel.snapshot() == before


@settings(deadline=None, max_examples=40)
@given(worlds(), declared())
def test_undoing_twice_is_the_plan_itself(world: World, desired: list[LinkedDeployment]) -> None:
    steps = plan(desired, world.observed(desired))
    assert steps.undo().undo() == steps
    assert len(steps.undo().actions) == len(steps.actions)


@settings(deadline=None, max_examples=40)
@given(worlds(), declared())
def test_a_map_that_is_still_declared_is_never_made_anew(
    world: World, desired: list[LinkedDeployment]
) -> None:
    kernel = world.kernel
    there = {key: one.identity for key, one in (kernel.retired | kernel.maps).items()}
    do(world, plan(desired, world.observed(desired)), desired)
    for key, one in kernel.maps.items():
        assert there.get(key, one.identity) == one.identity


@settings(deadline=None, max_examples=40)
@given(worlds(), declared())
def test_each_hook_target_is_exchanged_at_most_once(
    world: World, desired: list[LinkedDeployment]
) -> None:
    world.kernel.exchanges.clear()
    do(world, plan(desired, world.observed(desired)), desired)
    assert len(world.kernel.exchanges) <= len(TARGETS)
