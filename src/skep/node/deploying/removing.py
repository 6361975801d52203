"""Removing: a deployment leaves its chain, and its maps go.

Taking away always works, whatever state the rest is in: what stays runs on as it runs. It is
spliced from kept copies (:mod:`skep.node.converging.kept_programs`), not from packages; where
nothing runs, nothing is started; and what cannot be read goes by its name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.chains.planning import LinkedDeployment
from skep.errors import NeedsConsent, SkepError
from skep.hooks.table import HOOKS, HookTarget
from skep.node.converging.changing import Change
from skep.node.converging.kept_programs import kept_program
from skep.node.converging.reconciling import undeclared_maps
from skep.node.converging.services import Services, Writer
from skep.node.deploying.applying import ChangePlan, Desired, execute, foresee
from skep.node.looking.listing import NoSuchDeployment, find_installed, list_chains
from skep.node.looking.locating import meant_by, survey
from skep.node.ports import NoSuchTarget, PinnedLink, TargetHidden
from skep.node.records import Installed, Scope


class OthersWouldStop(NeedsConsent):
    """Others on the hook target could not be put together again.

    Attributes:
        names: of the deployments that would stop.
    """

    def __init__(self, name: str, lost: Mapping[str, SkepError], hint: str = "") -> None:
        names = ", ".join(lost)
        super().__init__(
            f"removing {name} would stop {names}, of which no copy is left",
            hint=hint or "agree with --yes, or install what would stop again first",
            detail="\n".join(f"{other}: {error.message}" for other, error in lost.items()),
        )
        self.names = tuple(lost)
        self._name, self._lost = name, lost

    def hinting(self, hint: str) -> "OthersWouldStop":
        """The same, with what to type to agree."""
        return OthersWouldStop(self._name, self._lost, hint)


@dataclass(frozen=True, slots=True)
class Removal:
    """What taking something away would do.

    Attributes:
        names: of deployments that go.
        on: hook targets they are on.
        plan: for what is declared; ``None`` if nothing declared goes.
        links: links that nothing declares, to be detached.
        maps: pins of maps that a deployment of that name left, and nothing else.
        lost: who would stop, and why.
    """

    names: tuple[str, ...]
    on: tuple[HookTarget, ...] = ()
    plan: ChangePlan | None = None
    links: tuple[PinnedLink, ...] = ()
    maps: tuple[str, ...] = ()
    lost: Mapping[str, SkepError] = field(default_factory=dict)

    @property
    def undo(self) -> tuple[str, ...]:
        """Commands that install again what goes; nothing brings back what nothing declares."""
        return () if self.plan is None else self.plan.undo

    @property
    def steps(self) -> tuple[str, ...]:
        """A line for each thing that would be done in the kernel."""
        planned = () if self.plan is None else self.plan.steps
        detached = (_detach_text(link) for link in self.links)
        return (*planned, *detached, *map(_map_text, self.maps))


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away, or would be.

    Attributes:
        names: of deployments.
        on: hook targets they were on.
        links: links that nothing declared.
        stopped: deployments that stay declared, and do not run any more.
        unrecorded: why the links were only detached and no record was changed.
        undo: commands that install it again, in this order.
        steps: a line for each thing that was done in the kernel.
        is_dry_run: nothing was done.
    """

    names: tuple[str, ...]
    on: tuple[HookTarget, ...] = ()
    links: tuple[PinnedLink, ...] = ()
    stopped: tuple[str, ...] = ()
    unrecorded: SkepError | None = None
    undo: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    is_dry_run: bool = False


def foresee_removal(services: Services, name: str) -> Removal:
    """What taking a deployment away would do; nothing changes.

    Raises:
        NoSuchDeployment: there is none of that name.
    """
    installed = services.state.installed()
    rows = {row.name: row.on for row in services.state.damaged()}
    if name in rows:
        return _foresee_damaged(services, name, rows[name])
    left_maps = undeclared_maps(services).get(name)
    if left_maps is not None:
        return Removal((name,), maps=left_maps)
    try:
        on = find_installed(installed, name).deployment.on
    except NoSuchDeployment as error:
        raise _with_damaged(error, rows) from None
    after = [one for one in installed if one.deployment.name != name]
    return _foresee_leaving(services, name, after, {on})


def foresee_removal_on(services: Services, on: HookTarget) -> Removal:
    """What taking everything of ours off a hook target would do, also what nothing declares.

    Raises:
        NoSuchDeployment: there is nothing of ours on it.
    """
    installed = services.state.installed()
    looked = survey(services.kernel, installed)
    meant = meant_by(services.kernel, looked, on)
    # What was declared under the name, and runs on something else, stays.
    declared = {each for each in (meant.chain, meant.waiting) if each is not None}
    damaged = declared | ({meant.on} if meant.on not in looked.spots else set())
    rows = [row.name for row in services.state.damaged() if row.on in damaged]
    names = [one.deployment.name for one in installed if one.deployment.on in declared]
    strays = _strays(services, looked.strays, meant.on)
    if not (names or rows or strays):
        raise NoSuchDeployment(f"no Skep programs on {on}", hint="skep list")
    plan: ChangePlan | None = None
    if names or rows:
        after = [one.deployment for one in installed if one.deployment.on not in declared]
        wanted = Change(f"remove everything on {meant.on}", after, also=declared, gone=rows)
        plan = foresee(services, Desired(wanted))
    return Removal((*names, *rows), (meant.on,), plan, strays)


def remove(writer: Writer, name: str, *, others_may_stop: bool = False) -> Removed:
    """Take a deployment away; the others on its hook target go on, with their maps.

    Works in every state it may be in: its interface is gone, hidden or taken by somebody else,
    its publisher is not trusted any more, its package or its record is damaged. Also takes away
    maps that were left by a deployment of that name.

    Args:
        others_may_stop: somebody agreed that those stop whose copies are lost.

    Raises:
        NoSuchDeployment: there is none of that name.
        OthersWouldStop: without consent to that; nothing is changed.
    """
    removal = foresee_removal(writer.services, name)
    if removal.lost and not others_may_stop:
        raise OthersWouldStop(name, removal.lost)
    if removal.maps:
        _remove_maps(writer, name, removal.maps)
    return _carry_out(writer, removal, name, others_may_stop=others_may_stop)


def remove_all(writer: Writer, on: HookTarget) -> Removed:
    """Take everything of ours off a hook target, also what nothing declares.

    Raises:
        NoSuchDeployment: there is nothing of ours on it.
    """
    return _carry_out(writer, foresee_removal_on(writer.services, on), "", others_may_stop=False)


def removed(removal: Removal, *, is_dry_run: bool = False) -> Removed:
    """What came of a removal that went as foreseen, or would."""
    return Removed(
        removal.names,
        removal.on,
        removal.links,
        tuple(removal.lost),
        undo=removal.undo,
        steps=removal.steps,
        is_dry_run=is_dry_run,
    )


def _foresee_damaged(services: Services, name: str, on: HookTarget) -> Removal:
    after = services.state.installed()
    targets = {on}
    if on not in _targets(after):
        # Where it was cannot be told: wherever another chain runs than the readable records say.
        views = list_chains(services.state, services.kernel)
        targets = {view.on for view in views if view.condition == "differs"}
    leaving = _foresee_leaving(services, name, after, targets, [name])
    strays: tuple[PinnedLink, ...] = ()
    if on not in _targets(after):
        # Nothing that can be read was on this target, so its link belonged to the damaged one.
        strays = _strays(services, survey(services.kernel, after).strays, on)
    return replace(leaving, on=(on,), links=strays)


def _remove_maps(writer: Writer, name: str, pins: Sequence[str]) -> None:
    """Take away what a deployment left that nothing remembers; no chain is touched."""
    scope = Scope(deployments=(name,))
    entry = writer.state.begin(f"remove {name}", [*map(_map_text, pins)], writer.now, scope)
    for pin in pins:
        writer.kernel.delete_map(name, pin)
    writer.state.end(entry, "done", writer.now)


def _with_damaged(error: NoSuchDeployment, rows: Mapping[str, HookTarget]) -> NoSuchDeployment:
    hint = f"{error.hint}; damaged: {', '.join(rows)}" if rows else error.hint
    return NoSuchDeployment(error.message, hint=hint, misnamed=error.misnamed)


def _targets(installed: Sequence[Installed]) -> set[HookTarget]:
    return {one.deployment.on for one in installed}


def _foresee_leaving(
    services: Services,
    name: str,
    after: Sequence[Installed],
    targets: set[HookTarget],
    gone: Sequence[str] = (),
) -> Removal:
    """What it takes to commit ``after`` and run it as far as it runs."""
    looked = survey(services.kernel, services.state.installed())
    running = {on for on in targets if (spot := looked.spots.get(on)) is not None and spot.runs}
    programs: dict[str, LinkedDeployment] = {}
    lost: dict[str, SkepError] = {}
    idle = []
    for one in after:
        if one.deployment.on not in targets:
            continue
        if one.deployment.on not in running:
            idle.append(one.deployment.name)  # it does not run: nothing is started
            continue
        try:
            programs[one.deployment.name] = kept_program(services, one)
        except SkepError as error:
            lost[one.deployment.name] = error
    lost |= _damaged_members(services, name, targets & running)
    wanted = Change(
        f"remove {name}",
        [one.deployment for one in after],
        also=targets & running if gone else (),
        stopping=[*lost, *idle],
        gone=gone,
        linked=programs,
    )
    removal = Removal((name,), tuple(sorted(targets)), lost=lost)
    try:
        return replace(removal, plan=foresee(services, Desired(wanted)))
    except SkepError as error:
        return _without_others(services, removal, wanted, error)


def _without_others(
    services: Services, removal: Removal, wanted: Change, error: SkepError
) -> Removal:
    """The same where what stays cannot be put together: because its map was replaced, say."""
    rest = dict.fromkeys((name for name in wanted.linked or {}), error)
    if not rest:
        raise error
    stopping = replace(wanted, linked={}, stopping=[*wanted.stopping, *rest])
    plan = foresee(services, Desired(stopping))
    return replace(removal, plan=plan, lost={**removal.lost, **rest})


def _carry_out(writer: Writer, removal: Removal, name: str, *, others_may_stop: bool) -> Removed:
    if removal.plan is not None:
        try:
            execute(writer, removal.plan)
        except SkepError as error:
            wanted = removal.plan.desired.change
            removal = _without_others(writer.services, removal, wanted, error)
            if not others_may_stop:
                raise OthersWouldStop(name, removal.lost) from error
            if removal.plan is not None:
                execute(writer, removal.plan)
    for link in removal.links:
        _detach(writer, link)
    return removed(removal)


def _damaged_members(
    services: Services, name: str, targets: Collection[HookTarget]
) -> dict[str, SkepError]:
    """Others on these targets whose records cannot be read, so that nobody can run them again."""
    return {
        row.name: SkepError(f"its record is damaged: {row.reason}")
        for row in services.state.damaged()
        if row.name != name and row.on in targets
    }


def _strays(
    services: Services, strays: Sequence[PinnedLink], on: HookTarget
) -> tuple[PinnedLink, ...]:
    if on.hook not in HOOKS:
        return ()
    try:
        identity = services.kernel.locate(on).identity
    except (NoSuchTarget, TargetHidden):
        return ()
    return tuple(
        link
        for link in strays
        if link.hook == on.hook and link.place is not None and link.place.identity == identity
    )


def _detach(writer: Writer, link: PinnedLink) -> None:
    places = () if link.place is None else ((link.hook, link.place.identity),)
    steps = [_detach_text(link)]
    entry = writer.state.begin(f"remove {link.pin}", steps, writer.now, Scope(places))
    writer.kernel.detach(link)
    writer.state.end(entry, "done", writer.now)


def _detach_text(link: PinnedLink) -> str:
    return f"detach the link {link.pin}"


def _map_text(pin: str) -> str:
    return f"remove the map {pin}"
