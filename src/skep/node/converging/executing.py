"""The one interpreter of plans: journal first, then the steps, then state and journal together.

A failing step (also an interrupt) is followed by the undo of everything done, in reverse, and the
cause is raised. Where undoing fails too, or the process dies, the journal entry stays open and the
next command repairs from what it observes (:mod:`skep.node.converging.recovering`); nothing here
needs to have been remembered for that.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol, assert_never

from skep.chains.fingerprints import kernel_name
from skep.chains.planning import (
    Action,
    Chain,
    CreateMaps,
    DeleteMaps,
    LinkedDeployment,
    Plan,
    RestoreMaps,
    RetireMaps,
    RunChain,
    WriteSetting,
)
from skep.clock import Clock, rfc3339
from skep.errors import SkepError, Unavailable
from skep.hooks.identity import Binding, Identity
from skep.hooks.target import HookTarget
from skep.node.looking.locating import Spot
from skep.node.ports import Kernel, NoSuchPin, PinInTheWay, PinnedLink, Program, TargetHidden
from skep.node.records import Installed, Measured, Scope
from skep.node.state_ports import State

log = logging.getLogger(__name__)


class NotAsDone(Unavailable):
    """The kernel runs something else than was just attached; the change is undone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a carried-out plan found out, to be committed.

    Attributes:
        measured: what the kernel's verifier said about members, by deployment.
        bindings: what hook targets are bound to now, by target; ``None`` where nothing of ours
            runs any more. Others are as they were.
        remarks: what a person should know about how chains were attached, by hook target.
    """

    measured: Mapping[str, Measured]
    bindings: Mapping[HookTarget, Binding | None]
    remarks: Mapping[HookTarget, str]


@dataclass(frozen=True, slots=True)
class Composed:
    """A chain loaded as one program, not yet attached.

    Attributes:
        program: owned by the receiver.
        measured: what the kernel's verifier said about each member alone, by deployment.
    """

    program: Program
    measured: Mapping[str, Measured]


class Compose(Protocol):
    """Loads a chain; see :func:`skep.node.converging.composing.compose`."""

    def __call__(
        self, kernel: Kernel, chain: Chain, linked: Mapping[str, LinkedDeployment], /
    ) -> Composed:
        """Load the members alone, then together."""
        ...


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Runs plans.

    Attributes:
        kernel: where it acts.
        state: where it writes down what it is about to do, and what has become of it.
        clock: gives the times in the journal.
        compose: loads a chain.
    """

    kernel: Kernel
    state: State
    clock: Clock
    compose: Compose

    def run(
        self,
        command: str,
        plan: Plan,
        linked: Sequence[LinkedDeployment],
        spots: Mapping[HookTarget, Spot],
        commit: Callable[[Outcome], Sequence[Installed]],
        gone: Collection[str] = (),
    ) -> Outcome:
        """Carry a plan out and commit the state that ``commit`` gives, all or nothing.

        Args:
            command: what was asked for, for the journal.
            plan: what to do.
            linked: every deployment that is in a chain the plan runs.
            spots: where the hook targets of the plan are.
            commit: called with what was found out; gives the whole committed state.
            gone: damaged records that go.
        """
        scope = scope_of(plan, spots)
        entry = self.state.begin(command, plan.summary(), rfc3339(self.clock()), scope)
        with _Undoable(self, linked, spots) as steps:
            try:
                steps.do(plan)
                outcome = steps.outcome()
                self.state.commit(entry, commit(outcome), rfc3339(self.clock()), gone)
            except BaseException as error:
                self._give_up(entry, steps, error)
                raise
            steps.drop_stale()
        purge(self.kernel, plan)
        return outcome

    def _give_up(self, entry: int, steps: "_Undoable", cause: BaseException) -> None:
        # An interrupt may come while the commit returns: what is committed must not be undone, and
        # where that cannot be told, the next command looks at both sides and decides.
        try:
            is_open = any(each.number == entry for each in self.state.unfinished())
        except SkepError as error:
            cause.add_note(f"the journal cannot be read: {error}; the next command repairs")
            return
        if not is_open:
            return
        # It may also have hit between a step and its being remembered: then the entry stays open,
        # and the next command makes sure.
        if steps.undo_all(cause) and isinstance(cause, SkepError | OSError):
            self.state.end(entry, "undone", rfc3339(self.clock()))


def scope_of(plan: Plan, spots: Mapping[HookTarget, Spot]) -> Scope:
    """What a plan may touch."""
    places = []
    deployments = set()
    for action in plan.actions:
        if isinstance(action, RunChain):
            place = spots[action.on].place
            if place is not None:
                places.append((action.on.hook, place.identity))
        else:
            deployments.add(action.deployment)
    return Scope(tuple(places), tuple(sorted(deployments)))


class _Undoable:
    """What was done so far, with the programs that ran before."""

    def __init__(
        self,
        interpreter: Interpreter,
        linked: Sequence[LinkedDeployment],
        spots: Mapping[HookTarget, Spot],
    ) -> None:
        self._kernel = interpreter.kernel
        self._spots = spots
        self._links = {on: spot.runs for on, spot in spots.items()}
        self._compose = interpreter.compose
        self._linked = {one.deployment.name: one for one in linked}
        self._done: list[tuple[Action, Program | None]] = []
        self._owned = ExitStack()
        self._measured: dict[str, Measured] = {}

    def __enter__(self) -> "_Undoable":
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    def do(self, plan: Plan) -> None:
        for action in plan.actions:
            log.debug("step begins", extra={"step": action.summary()})
            match action:
                case CreateMaps() | DeleteMaps() | RetireMaps() | RestoreMaps():
                    self._each_map(action)
                case WriteSetting():
                    self._done.append((action, None))  # first: it may fail between two entries
                    self._write(action)
                case RunChain():
                    before = self._run(action, None)
                    self._done.append((action, before))
                    self._check(action)
                case _:
                    assert_never(action)

    def outcome(self) -> Outcome:
        """What is known now of everything the plan was about."""
        boot = self._kernel.boot()
        bindings: dict[HookTarget, Binding | None] = {}
        for on, spot in self._spots.items():
            link = self._links[on]
            place = spot.place if link is None or link.place is None else link.place
            if link is None:
                # What a chain waits for is remembered: a new thing of that name is another one.
                if spot.link is None:
                    bindings[on] = None
            elif place is not None:
                bindings[on] = Binding(boot, place.identity, link.link)
        remarks = {on: link.remark for on, link in self._links.items() if link and link.remark}
        return Outcome(self._measured, bindings, remarks)

    def drop_stale(self) -> None:
        """Unpin links that have lost what they were on, where their chain runs anew."""
        for on, spot in self._spots.items():
            if spot.link is not None and not spot.link.is_attached and self._links[on] is not None:
                drop(self._kernel, spot.link)

    def undo_all(self, cause: BaseException) -> bool:
        """Undo in reverse; ``False`` if that failed and repair is left to the next command."""
        try:
            for action, before in reversed(self._done):
                log.info("step is undone", extra={"step": action.summary()})
                match action.undo():
                    case RunChain() as back:
                        self._run(back, before)
                    case WriteSetting() as back:
                        # A map that others put there was not written into in the first place.
                        with suppress(PinInTheWay):
                            self._write(back)
                    case CreateMaps() | DeleteMaps() | RetireMaps() | RestoreMaps() as back:
                        self._each_map(back, record=False)
        except (SkepError, OSError) as error:
            sentence = f"the change could not be undone: {error}; the next command tries again"
            fields = {"cause": str(cause), "error": str(error), "sentence": sentence}
            log.warning("undoing failed", extra=fields)
            cause.add_note(f"undoing it failed too: {error}; the next command repairs it")
            return False
        return True

    def _each_map(
        self, action: CreateMaps | DeleteMaps | RetireMaps | RestoreMaps, *, record: bool = True
    ) -> None:
        # Step by step, so that what was done before a failure is known to the last map.
        name = action.deployment
        match action:
            case CreateMaps(_, maps):
                for creation in maps:
                    self._kernel.create_map(name, creation.pin, creation.plan, creation.types)
                    self._record(CreateMaps(name, (creation,)), record=record)
            case DeleteMaps(_, maps):
                for creation in reversed(maps):
                    self._kernel.delete_map(name, creation.pin)
                    self._record(DeleteMaps(name, (creation,)), record=record)
            case RetireMaps(_, pins):
                for pin in pins:
                    self._kernel.retire_map(name, pin)
                    self._record(RetireMaps(name, (pin,)), record=record)
            case RestoreMaps(_, pins):
                for pin in pins:
                    self._kernel.restore_map(name, pin)
                    self._record(RestoreMaps(name, (pin,)), record=record)
            case _:
                assert_never(action)

    def _record(self, action: Action, *, record: bool) -> None:
        if record:
            self._done.append((action, None))

    def _write(self, action: WriteSetting) -> None:
        self._kernel.write_entries(action.deployment, action.pin, action.changed(), action.gone())

    def _run(self, action: RunChain, memento: Program | None) -> Program | None:
        """Exchange what runs; returns what ran before."""
        on = action.on
        link = self._links[on]
        before: Program | None = None
        if link is not None:
            before = self._kernel.running(link)
            self._owned.callback(before.close)
        if not action.new.fingerprint:
            if link is not None:
                self._kernel.detach(link)
            self._links[on] = None
            return before
        if memento is None:
            composed = self._compose(self._kernel, action.new, self._linked)
            self._owned.callback(composed.program.close)
            self._measured.update(composed.measured)
            memento = composed.program
        if link is None or before is None:
            link = self._kernel.attach(on.hook, self._identity(on), memento)
            self._links[on] = link
        else:
            self._kernel.replace(link, memento, before)
        return before

    def _identity(self, on: HookTarget) -> Identity:
        place = self._spots[on].place
        if place is None:
            raise TargetHidden(f"{on} is not visible from here", hint="run the command where it is")
        return place.identity

    def _check(self, action: RunChain) -> None:
        # Success is checked: what the pin holds is what was meant, and a later command finds it.
        link = self._links[action.on]
        if link is None:
            return
        found = self._kernel.running(link)
        self._owned.callback(found.close)
        if found.name != kernel_name(action.new.fingerprint):
            raise NotAsDone(
                f"expected the chain {action.new} to run on {action.on} now, found "
                f"{found.name or 'a program without a name'}",
                hint=f"skep chain {action.on}",
            )


def drop(kernel: Kernel, link: PinnedLink) -> None:
    """Remove a pin that is of no use any more; a failure is only logged."""
    try:
        kernel.detach(link)
    except NoSuchPin:
        return
    except (SkepError, OSError) as error:
        log.warning("stale link stays", extra={"pin": link.pin, "error": str(error)})


def purge(kernel: Kernel, plan: Plan) -> None:
    """Remove what a carried-out and committed plan retired.

    A failure is only logged: the change is done, and the next recovery purges what is left.
    """
    for action in plan.actions:
        if isinstance(action, RetireMaps):
            for pin in action.pins:
                try:
                    kernel.purge_map(action.deployment, pin)
                except NoSuchPin:
                    continue
                except (SkepError, OSError) as error:
                    log.warning("retired map stays", extra={"pin": pin, "error": str(error)})
