"""One suite over every driver: what the node may rely on, whatever a target is.

The third hook is the test tree's own; see ``tests/third_hook``.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from tests.builders.kernel_programs import program, returning
from tests.kernel.conftest import Wire
from tests.third_hook import cgroups
from tests.third_hook.adding import new_cgroup, third_hook
from tests.third_hook.cgroup_skb import CGROUP_SKB

from skep.bytecode.linking.plan import ProgramPlan
from skep.hooks.hook import Hook
from skep.hooks.table import HOOKS, find_hook
from skep.hooks.target import HookTarget
from skep.kernel import namespaces
from skep.kernel.attaching.driver import Detached, Driver, Hidden, Place, Whereabouts
from skep.kernel.attaching.table import DRIVERS, driver_of
from skep.kernel.errors import (
    HookTaken,
    KernelRefused,
    TargetMissing,
    TargetNotVisible,
    UnexpectedProgram,
)
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.network import remove_interface

pytestmark = pytest.mark.kernel


@dataclass(frozen=True)
class Case:
    """A hook, its driver, and a target of the test's own."""

    hook: Hook
    driver: Driver
    on: HookTarget
    remove: Callable[[], object]
    hide: Callable[[pytest.MonkeyPatch], None]
    rename: Callable[[], str]

    def load(self, name: str = "first") -> LoadedProgram:
        """A program that fits the hook."""
        return load_program(plan_for(self.hook, name), [])

    def locate(self) -> Place:
        return self.driver.locate(self.on)


def plan_for(hook: Hook, name: str) -> ProgramPlan:
    (value,) = {hook.verdicts[verdict] for verdict in hook.default_run_on[-1:]}
    return dataclasses.replace(
        program(name, *returning(value)),
        program_type=hook.program_type_id,
        attach_type=hook.attach_type_id,
    )


@pytest.fixture(params=["xdp", "tcx-ingress", "tcx-egress", CGROUP_SKB.name])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ExitStack() as added:
        if request.param == CGROUP_SKB.name:
            added.enter_context(third_hook())
            yield _cgroup_case(added.enter_context(new_cgroup()))
        else:
            yield _interface_case(find_hook(request.param), request.getfixturevalue("wire"))


def _interface_case(hook: Hook, wire: Wire) -> Case:
    # In the namespace, so that hiding that hides the target.
    on = HookTarget(hook.name, wire.peer, wire.namespace)

    def hide(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(namespaces, "_NAMED", namespaces._NAMED / "nothing")
        patch.setattr(namespaces, "_found_at", {})

    def rename() -> str:
        with IPRoute(netns=wire.namespace) as route:
            (index,) = route.link_lookup(ifname=wire.peer)
            route.link("set", index=index, state="down")
            route.link("set", index=index, ifname=f"{wire.peer}r")
        return f"{wire.peer}r"

    return Case(hook, driver_of(hook), on, lambda: remove_interface(wire.name), hide, rename)


def _cgroup_case(path: Path) -> Case:
    hook = find_hook(CGROUP_SKB.name)

    def hide(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(cgroups, "_MOUNTS", Path("/dev/null"))

    def rename() -> str:
        return path.rename(path.with_name(f"{path.name}-renamed")).name

    on = HookTarget(hook.name, path.name)
    return Case(hook, driver_of(hook), on, path.rmdir, hide, rename)


@pytest.fixture
def place(case: Case) -> Place:
    return case.locate()


@pytest.fixture
def first(case: Case) -> Iterator[LoadedProgram]:
    with case.load() as made:
        yield made


@pytest.fixture
def second(case: Case) -> Iterator[LoadedProgram]:
    with case.load("second") as made:
        yield made


@pytest.fixture
def link(case: Case, place: Place, first: LoadedProgram) -> Iterator[Link]:
    with case.driver.attach(case.hook, place.identity, first) as made:
        yield made


def test_every_hook_has_a_driver() -> None:
    assert {hook.way for hook in HOOKS.values()} == set(DRIVERS)
    assert all(driver.way == way for way, driver in DRIVERS.items())


def test_what_is_located_is_found(case: Case, place: Place) -> None:
    assert place.called == case.on
    assert case.driver.find(case.hook, place.identity) == place


def test_what_was_never_there_is_missing(case: Case) -> None:
    with pytest.raises(TargetMissing):
        case.driver.locate(dataclasses.replace(case.on, target="skep-nothing"))


def test_what_has_gone_is_missing(case: Case, place: Place, first: LoadedProgram) -> None:
    case.remove()
    with pytest.raises(TargetMissing):
        case.locate()
    with pytest.raises(TargetMissing):
        case.driver.find(case.hook, place.identity)
    with pytest.raises(TargetMissing):
        case.driver.occupants(case.hook, place.identity)
    with pytest.raises(TargetMissing):
        case.driver.remark(case.hook, place.identity, first.id)
    with pytest.raises(TargetMissing):
        case.driver.attach(case.hook, place.identity, first)


def test_what_cannot_be_seen_is_not_missing(
    case: Case, place: Place, link: Link, first: LoadedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.hide(monkeypatch)
    with pytest.raises(TargetNotVisible):
        case.driver.find(case.hook, place.identity)
    with pytest.raises(TargetNotVisible):
        case.driver.occupants(case.hook, place.identity)
    with pytest.raises(TargetNotVisible):
        case.driver.remark(case.hook, place.identity, first.id)
    with pytest.raises(TargetNotVisible):
        case.driver.attach(case.hook, place.identity, first)
    assert case.driver.whereabouts(case.hook, link, place.identity) == Hidden()
    assert case.driver.whereabouts(case.hook, link, None) == Hidden()


def test_an_attached_program_is_an_occupant(
    case: Case, place: Place, link: Link, first: LoadedProgram
) -> None:
    assert case.driver.occupants(case.hook, place.identity) == (first.id,)
    assert link.program_id() == first.id
    assert link.id > 0
    assert link.remark == ""


@pytest.mark.parametrize("is_hinted", [True, False])
def test_a_link_is_where_it_was_attached(
    case: Case, place: Place, link: Link, *, is_hinted: bool
) -> None:
    hint = place.identity if is_hinted else None
    assert case.driver.whereabouts(case.hook, link, hint) == place


def test_the_usual_way_of_being_attached_needs_no_remark(
    case: Case, place: Place, link: Link, first: LoadedProgram
) -> None:
    assert case.driver.remark(case.hook, place.identity, first.id) == ""


def test_nobody_is_there_at_first(case: Case, place: Place) -> None:
    assert case.driver.occupants(case.hook, place.identity) == ()


def test_a_second_one_is_refused_or_goes_last(
    case: Case, place: Place, link: Link, first: LoadedProgram, second: LoadedProgram
) -> None:
    if case.driver.is_exclusive:
        with pytest.raises(HookTaken, match=rf"program {first.id} \(first\)"):
            case.driver.attach(case.hook, place.identity, second)
        assert case.driver.occupants(case.hook, place.identity) == (first.id,)
    else:
        with case.driver.attach(case.hook, place.identity, second):
            both = case.driver.occupants(case.hook, place.identity)
            assert both == (first.id, second.id)
        assert case.driver.occupants(case.hook, place.identity) == (first.id,)
    assert link.program_id() == first.id


def test_a_program_of_another_type_does_not_fit(case: Case, place: Place) -> None:
    other = dataclasses.replace(plan_for(case.hook, "filter"), program_type=1, attach_type=0)
    with load_program(other, []) as wrong, pytest.raises(KernelRefused, match="'filter'"):
        case.driver.attach(case.hook, place.identity, wrong)
    assert case.driver.occupants(case.hook, place.identity) == ()


def test_replacing_keeps_the_place(
    case: Case, place: Place, link: Link, first: LoadedProgram, second: LoadedProgram
) -> None:
    case.driver.replace(link, second, first)
    assert case.driver.occupants(case.hook, place.identity) == (second.id,)
    assert case.driver.whereabouts(case.hook, link, None) == place
    case.driver.replace(link, first, None)
    assert link.program_id() == first.id


def test_replacing_under_a_wrong_expectation_changes_nothing(
    case: Case, link: Link, first: LoadedProgram, second: LoadedProgram
) -> None:
    with pytest.raises(UnexpectedProgram, match=rf"found program {first.id} \(first\)"):
        case.driver.replace(link, second, second)
    assert link.program_id() == first.id


def test_replacing_by_a_program_of_another_type_changes_nothing(
    case: Case, link: Link, first: LoadedProgram
) -> None:
    other = dataclasses.replace(plan_for(case.hook, "filter"), program_type=1, attach_type=0)
    with load_program(other, []) as wrong, pytest.raises(KernelRefused):
        case.driver.replace(link, wrong, first)
    assert link.program_id() == first.id


def test_detaching_twice(
    case: Case, place: Place, link: Link, first: LoadedProgram, second: LoadedProgram
) -> None:
    case.driver.detach(link)
    assert case.driver.whereabouts(case.hook, link, place.identity) == Detached()
    assert case.driver.occupants(case.hook, place.identity) == ()
    case.driver.detach(link)
    with pytest.raises(TargetMissing, match="no longer attached"):
        case.driver.replace(link, second, None)


def test_the_link_of_a_target_that_has_gone_is_detached(
    case: Case, place: Place, link: Link, second: LoadedProgram
) -> None:
    case.remove()
    assert _settled(case, link) == Detached()
    with pytest.raises(TargetMissing, match="no longer attached"):
        case.driver.replace(link, second, None)
    case.driver.detach(link)


def _settled(case: Case, link: Link) -> Whereabouts:
    """Where a link is in the end: what held it may be taken down a little later."""
    deadline = time.monotonic() + 30
    while True:
        found = case.driver.whereabouts(case.hook, link, None)
        if found == Detached() or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def test_closing_the_only_holder_detaches(case: Case, place: Place, first: LoadedProgram) -> None:
    with case.driver.attach(case.hook, place.identity, first):
        pass
    assert case.driver.occupants(case.hook, place.identity) == ()


def test_a_renamed_target_is_the_same(case: Case, place: Place, link: Link) -> None:
    if case.hook.name == CGROUP_SKB.name:
        with pytest.raises(PermissionError):  # control groups keep their names
            case.rename()
        return
    new = case.rename()
    renamed = Place(place.identity, dataclasses.replace(case.on, target=new))
    assert case.driver.find(case.hook, place.identity) == renamed
    assert case.driver.whereabouts(case.hook, link, place.identity) == renamed
    with pytest.raises(TargetMissing):
        case.locate()
