"""The interpreter of plans: what it does, writes down, undoes and leaves to the next command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.builders.deployments import deployment, hash_map, linked
from tests.fakes.composing import fake_compose
from tests.fakes.faults import Fault, PlannedFailure
from tests.fakes.kernel import FakeKernel, FakeProgram
from tests.fakes.packages import NOW
from tests.fakes.state import MemoryState

from skep.chains.fingerprints import chain_member, kernel_name
from skep.chains.planning import (
    Action,
    Chain,
    CreateMaps,
    DeleteMaps,
    LinkedDeployment,
    MapCreation,
    Plan,
    RestoreMaps,
    RetireMaps,
    RunChain,
    WriteSetting,
)
from skep.errors import Unavailable
from skep.hooks.identity import Binding
from skep.hooks.table import HookTarget, parse_hook_target
from skep.node.converging.executing import Interpreter, NotAsDone, Outcome, drop, purge, scope_of
from skep.node.looking.locating import Spot, survey
from skep.node.ports import PinInTheWay, PinnedLink, TargetHidden
from skep.node.records import Installed, Measured, Scope

ETH0, ETH1 = parse_hook_target("xdp:eth0"), parse_hook_target("xdp:eth1")
COUNTS, PORTS = hash_map("counts"), hash_map("ports")
LIMIT = linked("limit", maps=[COUNTS])
FILTER = linked("filter", on="xdp:eth1")
MAKE = CreateMaps("limit", (MapCreation("counts", COUNTS),))
KEY, ONE, TWO = bytes(4), bytes(8), bytes(7) + b"\x01"


def chain(*members: LinkedDeployment) -> Chain:
    return Chain.of([chain_member(one.deployment) for one in members])


def run(new: Chain, *, on: HookTarget = ETH0, previous: Chain = Chain()) -> RunChain:  # noqa: B008
    return RunChain(on, new, previous)


class World:
    """A kernel and a state, and an interpreter over both."""

    def __init__(self, kernel: FakeKernel | None = None) -> None:
        self.kernel = kernel or FakeKernel()
        self.state = MemoryState()
        self.outcomes: list[Outcome] = []

    def spots(self, *targets: HookTarget) -> dict[HookTarget, Spot]:
        installed = [Installed(deployment(f"on-{on.target}", on=str(on)), "") for on in targets]
        return dict(survey(self.kernel, installed).spots)

    def do(
        self,
        *actions: Action,
        fault: Fault | None = None,
        spots: Mapping[HookTarget, Spot] | None = None,
        gone: Sequence[str] = (),
    ) -> Outcome:
        wrap: Callable[[Any], Any] = fault.over if fault is not None else (lambda port: port)
        interpreter = Interpreter(wrap(self.kernel), wrap(self.state), lambda: NOW, fake_compose)

        def commit(outcome: Outcome) -> Sequence[Installed]:
            self.outcomes.append(outcome)
            return [Installed(LIMIT.deployment, "then")]

        return interpreter.run(
            "a change",
            Plan(actions),
            [LIMIT, FILTER],
            self.spots(ETH0, ETH1) if spots is None else spots,
            commit,
            gone,
        )

    def runs_limit(self) -> None:
        self.do(MAKE, run(chain(LIMIT)))


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_to_be_done_is_in_the_journal_and_ends_with_the_state(world: World) -> None:
    world.do(MAKE, run(chain(LIMIT)))
    (entry,) = world.state.history()
    assert (entry.command, entry.outcome) == ("a change", "done")
    assert entry.steps == (
        "create maps of limit: counts",
        "run limit on xdp:eth0",
    )
    assert entry.started_at == entry.ended_at == "2026-11-23T08:00:00Z"
    assert entry.scope == Scope((("xdp", world.kernel.identity()),), ("limit",))
    assert [one.installed_at for one in world.state.installed()] == ["then"]


def test_a_scope_names_each_deployment_once_in_order_and_places_that_are_seen() -> None:
    world = World()
    spots = world.spots(ETH0) | {ETH1: Spot(ETH1, "hidden")}
    others = tuple(RetireMaps(name, ("a",)) for name in "zyxwvutabcdefg")
    runs = (run(chain(LIMIT)), run(chain(FILTER), on=ETH1))
    actions: tuple[Action, ...] = (*others, MAKE, MAKE, *runs)
    assert scope_of(Plan(actions), spots) == Scope(
        (("xdp", world.kernel.identity()),), (*"abcdefg", "limit", *"tuvwxyz")
    )


def test_the_outcome_says_what_was_measured_and_what_is_bound_to_what(world: World) -> None:
    outcome = world.do(MAKE, run(chain(LIMIT)))
    (link,) = world.kernel.links()
    assert outcome.measured == {"limit": Measured(2, 0)}
    assert outcome.bindings == {
        ETH0: Binding("boot-1", world.kernel.identity(), link.link),
        ETH1: None,
    }
    assert outcome.remarks == {}
    assert world.outcomes == [outcome]


def test_the_outcome_keeps_what_a_person_should_know(world: World) -> None:
    class Remarking(FakeKernel):
        def attach(self, *args: Any) -> PinnedLink:
            return replace(super().attach(*args), remark="generic mode")

    world = World(Remarking())
    assert world.do(MAKE, run(chain(LIMIT))).remarks == {ETH0: "generic mode"}


def test_a_chain_that_is_exchanged_keeps_its_link_and_its_place(world: World) -> None:
    world.runs_limit()
    (before,) = world.kernel.links()
    outcome = world.do(run(chain(FILTER), previous=chain(LIMIT)))
    (after,) = world.kernel.links()
    assert (after.pin, after.link) == (before.pin, before.link)
    assert outcome.bindings[ETH0] == Binding("boot-1", world.kernel.identity(), after.link)


def test_a_link_whose_place_is_not_seen_is_bound_to_where_it_was_found(world: World) -> None:
    world.runs_limit()
    spot = world.spots(ETH0)[ETH0]
    assert spot.link is not None
    unseen = replace(spot, link=replace(spot.link, place=None))
    outcome = world.do(spots={ETH0: unseen})
    assert outcome.bindings == {ETH0: Binding("boot-1", world.kernel.identity(), spot.link.link)}


def test_a_link_that_is_nowhere_to_be_seen_leaves_the_binding_alone(world: World) -> None:
    world.runs_limit()
    spot = world.spots(ETH0)[ETH0]
    assert spot.link is not None
    unseen = replace(spot, standing="hidden", place=None, link=replace(spot.link, place=None))
    assert world.do(spots={ETH0: unseen}).bindings == {}


def test_where_nothing_runs_any_more_nothing_is_bound(world: World) -> None:
    world.runs_limit()
    spots = world.spots(ETH0)
    outcome = world.do(run(Chain(), previous=chain(LIMIT)), spots={ETH0: replace(spots[ETH0])})
    assert world.kernel.links() == ()
    assert outcome.bindings == {}  # what its link was on is remembered, until it is declared anew


def test_detaching_what_does_not_run_does_nothing(world: World) -> None:
    world.do(run(Chain()))
    assert world.kernel.exchanges == []


def test_what_a_chain_waits_for_is_remembered(world: World) -> None:
    world.runs_limit()
    (link,) = world.kernel.links()
    waiting = Spot(ETH0, "waiting", link=replace(link, is_attached=False, place=None))
    assert world.do(spots={ETH0: waiting}).bindings == {}


def test_a_link_that_lost_what_it_was_on_goes_once_the_chain_runs_elsewhere(world: World) -> None:
    world.runs_limit()
    world.kernel.remove_interface("eth0")
    (stale,) = world.kernel.links()
    here = world.spots(ETH1)[ETH1]
    world.do(run(chain(LIMIT)), spots={ETH0: Spot(ETH0, "here", here.place, stale)})
    (link,) = world.kernel.links()
    assert link.pin != stale.pin
    assert link.is_attached


def test_a_link_that_lost_what_it_was_on_stays_while_the_chain_runs_nowhere(world: World) -> None:
    world.runs_limit()
    world.kernel.remove_interface("eth0")
    (stale,) = world.kernel.links()
    world.do(spots={ETH0: Spot(ETH0, "waiting", link=stale)})
    assert [link.pin for link in world.kernel.links()] == [stale.pin]


def test_a_chain_cannot_be_attached_to_what_is_not_seen(world: World) -> None:
    with pytest.raises(TargetHidden, match="xdp:eth0 is not visible from here"):
        world.do(MAKE, run(chain(LIMIT)), spots={ETH0: Spot(ETH0, "hidden")})
    assert world.kernel.pinned_maps() == {}


@pytest.mark.parametrize("name", ["0123456789", ""])
def test_success_is_what_the_kernel_says_runs(name: str) -> None:
    class Other(FakeKernel):
        def running(self, link: PinnedLink) -> FakeProgram:
            found = super().running(link)
            found.name = name
            return found

    world = World(Other())
    with pytest.raises(NotAsDone, match="expected the chain limit to run on xdp:eth0") as caught:
        world.do(MAKE, run(chain(LIMIT)))
    assert f"found {name or 'a program without a name'}" in caught.value.message
    assert (world.kernel.links(), world.kernel.pinned_maps()) == ((), {})
    assert world.kernel.open_programs() == []
    assert world.state.installed() == ()


def _every_kind(world: World) -> tuple[Action, ...]:
    """One action of each kind that a plan has, over a chain that runs."""
    world.runs_limit()
    world.kernel.create_map("limit", "old", PORTS)
    world.kernel.create_map("limit", "older", PORTS)
    world.kernel.create_map("limit", "back", PORTS)
    world.kernel.create_map("limit", "more", PORTS)
    world.kernel.retire_map("limit", "back")
    world.kernel.retire_map("limit", "more")
    world.kernel.write_entries("limit", "counts", {KEY: ONE}, [])
    return (
        RestoreMaps("limit", ("back", "more")),
        CreateMaps("filter", (MapCreation("a", COUNTS), MapCreation("b", PORTS))),
        WriteSetting("limit", "counts", ((KEY, ONE),), ((KEY, TWO), (b"\x01" * 4, ONE))),
        run(chain(FILTER), previous=chain(LIMIT)),
        run(chain(FILTER), on=ETH1),
        RetireMaps("limit", ("old", "older")),
    )


def test_a_plan_is_done_step_by_step(world: World) -> None:
    actions = _every_kind(world)
    world.do(*actions)
    assert world.kernel.pinned_maps() == {
        "limit": {"counts", "back", "more"},
        "filter": {"a", "b"},
    }
    assert world.kernel.retired_maps() == {}  # put aside, then purged
    assert world.kernel.read_entries("limit", "counts") == {KEY: TWO, b"\x01" * 4: ONE}
    name = kernel_name(chain(FILTER).fingerprint)
    assert [link.program_name for link in world.kernel.links()] == [name, name]
    assert world.kernel.open_programs() == []


@pytest.mark.parametrize("at", range(1, 15))
def test_whatever_fails_all_of_it_is_undone(world: World, at: int) -> None:
    actions = _every_kind(world)
    before = world.kernel.snapshot()
    with pytest.raises(PlannedFailure):
        world.do(*actions, fault=Fault(at, kills=False))
    assert world.kernel.snapshot() == before
    assert [entry.outcome for entry in world.state.history()] == ["undone", "done"]
    assert world.state.unfinished() == ()
    assert world.kernel.open_programs() == []


def test_a_setting_that_was_written_in_part_is_undone(world: World) -> None:
    actions = _every_kind(world)
    before = world.kernel.snapshot()
    with pytest.raises(PlannedFailure, match="call 5 fails"):
        world.do(*actions, fault=Fault(5, kills=False, after=True))
    assert world.kernel.snapshot() == before


def test_what_ran_before_comes_back_itself_and_is_not_composed_anew(world: World) -> None:
    world.runs_limit()
    ran = world.kernel.snapshot()
    fault = Fault(6, kills=False)
    with pytest.raises(PlannedFailure):
        world.do(
            run(chain(FILTER), previous=chain(LIMIT)), run(chain(FILTER), on=ETH1), fault=fault
        )
    assert world.kernel.snapshot() == ran


def test_steps_are_undone_from_the_last_to_the_first(world: World) -> None:
    world.runs_limit()
    before = world.kernel.snapshot()
    steps = (
        run(chain(FILTER), previous=chain(LIMIT)),
        run(Chain(), previous=chain(FILTER)),
        run(chain(LIMIT), previous=Chain()),
    )
    with pytest.raises(PlannedFailure, match="call 8 fails"):
        world.do(*steps, fault=Fault(8, kills=False))
    assert world.kernel.snapshot() == before


def test_what_was_detached_comes_back_itself(world: World) -> None:
    world.runs_limit()
    before = world.kernel.snapshot()
    with pytest.raises(PlannedFailure, match="call 2 fails"):
        world.do(run(Chain(), previous=chain(LIMIT)), fault=Fault(2, kills=False))
    assert world.kernel.snapshot() == before


def test_new_maps_are_deleted_from_the_last_to_the_first(world: World) -> None:
    creations = (MapCreation("a", COUNTS), MapCreation("b", PORTS))
    world.do(CreateMaps("filter", creations))
    with pytest.raises(PlannedFailure):
        world.do(DeleteMaps("filter", creations), fault=Fault(2, kills=False))
    assert world.kernel.pinned_maps() == {"filter": {"a", "b"}}
    deleted: list[str] = []

    class Noting(FakeKernel):
        def delete_map(self, deployment: str, pin: str) -> None:
            deleted.append(pin)
            super().delete_map(deployment, pin)

    world = World(Noting())
    world.do(CreateMaps("filter", creations), DeleteMaps("filter", creations))
    assert deleted == ["b", "a"]


def test_a_setting_is_not_written_back_into_a_map_of_others(world: World) -> None:
    world.runs_limit()
    world.kernel.delete_map("limit", "counts")
    world.kernel.create_map("limit", "counts", replace(COUNTS, key_size=8))
    with pytest.raises(PinInTheWay):
        world.do(WriteSetting("limit", "counts", ((KEY, ONE),), ((KEY, TWO),)))
    assert world.state.unfinished() == ()
    assert world.kernel.read_entries("limit", "counts") == {}


class Stubborn(FakeKernel):
    """Does not give up what it made."""

    def delete_map(self, *_: str) -> None:
        raise OSError(5, "Input/output error")


def test_where_undoing_fails_the_journal_stays_open(caplog: pytest.LogCaptureFixture) -> None:
    world = World(Stubborn())
    with pytest.raises(PlannedFailure) as caught:
        world.do(MAKE, run(chain(LIMIT)), fault=Fault(2, kills=False))
    assert caught.value.__notes__ == [
        "undoing it failed too: [Errno 5] Input/output error; the next command repairs it"
    ]
    assert [entry.command for entry in world.state.unfinished()] == ["a change"]
    (said,) = [vars(each) for each in caplog.records if each.levelname == "WARNING"]
    assert said["cause"] == "call 2 fails as planned"
    assert said["error"] == "[Errno 5] Input/output error"
    assert said["sentence"].startswith("the change could not be undone: [Errno 5]")


class Interrupting(FakeKernel):
    """Somebody presses Ctrl-C while a program is loaded."""

    def load(self, *_: Any) -> FakeProgram:
        raise KeyboardInterrupt


def test_after_an_interrupt_all_is_undone_and_the_next_command_looks_again() -> None:
    world = World(Interrupting())
    with pytest.raises(KeyboardInterrupt):
        world.do(MAKE, run(chain(LIMIT)))
    assert world.kernel.pinned_maps() == {}
    assert [entry.outcome for entry in world.state.unfinished()] == [None]


class Returning(MemoryState):
    """The commit is done, and something happens before the caller knows."""

    def commit(self, *args: Any) -> None:
        super().commit(*args)
        raise KeyboardInterrupt


def test_what_is_committed_is_not_undone(world: World) -> None:
    world.state = Returning()
    with pytest.raises(KeyboardInterrupt):
        world.do(MAKE, run(chain(LIMIT)))
    assert world.kernel.runs() is not None
    assert [entry.outcome for entry in world.state.history()] == ["done"]


class Unreadable(MemoryState):
    """The database went away with the commit."""

    def commit(self, *_: Any) -> None:
        raise KeyboardInterrupt

    def unfinished(self) -> tuple[Any, ...]:
        raise Unavailable("the disk is gone")


def test_where_nobody_can_tell_what_is_committed_the_next_command_decides(world: World) -> None:
    world.state = Unreadable()
    with pytest.raises(KeyboardInterrupt) as caught:
        world.do(MAKE, run(chain(LIMIT)))
    assert caught.value.__notes__ == [
        "the journal cannot be read: the disk is gone; the next command repairs"
    ]
    assert world.kernel.runs() is not None


def test_damaged_records_that_go_are_named_to_the_state(world: World) -> None:
    world.runs_limit()
    world.state.damage("limit")
    world.do(gone=["limit"])
    assert world.state.damaged() == ()


class Failing(FakeKernel):
    """Cannot remove anything of the name it is told."""

    def purge_map(self, deployment: str, pin: str) -> None:
        if pin == "stuck":
            raise OSError(16, "Device or resource busy")
        if pin == "hidden":
            raise Unavailable("the map is not visible")
        super().purge_map(deployment, pin)

    def detach(self, link: PinnedLink) -> None:
        if link.pin == "xdp_8":
            raise OSError(5, "Input/output error")
        raise Unavailable("the link is stuck")


def test_what_cannot_be_purged_keeps_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    kernel = Failing()
    for pin in ("stuck", "hidden", "last"):
        kernel.create_map("limit", pin, COUNTS)
        kernel.retire_map("limit", pin)
    purge(kernel, Plan((MAKE, RetireMaps("limit", ("stuck", "lost", "hidden", "last")))))
    assert kernel.retired_maps() == {"limit": {"stuck", "hidden"}}
    assert [(vars(each)["pin"], vars(each)["error"]) for each in caplog.records] == [
        ("stuck", "[Errno 16] Device or resource busy"),
        ("hidden", "the map is not visible"),
    ]


@pytest.mark.parametrize(
    ("pin", "error"),
    [("xdp_7", "the link is stuck"), ("xdp_8", "[Errno 5] Input/output error")],
)
def test_a_stale_link_that_stays_is_only_logged(
    caplog: pytest.LogCaptureFixture, pin: str, error: str
) -> None:
    drop(Failing(), PinnedLink(pin, "xdp", 7, None, is_attached=False, program_name=""))
    (said,) = [vars(each) for each in caplog.records]
    assert (said["pin"], said["error"]) == (pin, error)


def test_a_stale_link_that_is_gone_already_is_no_problem(caplog: pytest.LogCaptureFixture) -> None:
    drop(FakeKernel(), PinnedLink("xdp_7", "xdp", 7, None, is_attached=False, program_name=""))
    assert caplog.records == []
