"""Removing: a deployment leaves its chain, and its maps go.

Taking away always works, whatever state the rest is in: what stays runs on as it runs. It is
spliced from kept copies (:mod:`skep.node.converging.kept_programs`), not from packages; where
nothing runs, nothing is started; and what cannot be read goes by its name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from skep.chains.deployment import Deployment
from skep.chains.planning import LinkedDeployment
from skep.errors import NeedsConsent, SkepError
from skep.hooks.table import HOOKS, HookTarget
from skep.node.converging.changing import Change, change
from skep.node.converging.kept_programs import kept_program
from skep.node.converging.reconciling import undeclared_maps
from skep.node.converging.services import Writer
from skep.node.looking.listing import NoSuchDeployment, find_installed, list_chains
from skep.node.looking.locating import meant_by, survey
from skep.node.ports import NoSuchTarget, PinnedLink, TargetHidden
from skep.node.records import Installed, Scope


class OthersWouldStop(NeedsConsent):
    """Others on the hook target could not be put together again.

    Attributes:
        names: of the deployments that would stop.
    """

    def __init__(self, name: str, lost: Mapping[str, SkepError]) -> None:
        names = ", ".join(lost)
        super().__init__(
            f"removing {name} would stop {names}, of which no copy is left",
            hint="agree with --yes, or install what would stop again first",
            detail="\n".join(f"{other}: {error.message}" for other, error in lost.items()),
        )
        self.names = tuple(lost)


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away.

    Attributes:
        names: of deployments.
        on: hook targets they were on.
        links: links that nothing declared.
        stopped: deployments that stay declared, and do not run any more.
        unrecorded: why the links were only detached and no record was changed.
    """

    names: tuple[str, ...]
    on: tuple[HookTarget, ...] = ()
    links: tuple[PinnedLink, ...] = ()
    stopped: tuple[str, ...] = ()
    unrecorded: SkepError | None = None


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
    installed = writer.state.installed()
    rows = {row.name: row.on for row in writer.state.damaged()}
    if name in rows:
        return _remove_damaged(writer, name, rows[name], others_may_stop=others_may_stop)
    left_maps = undeclared_maps(writer.services).get(name)
    if left_maps is not None:
        return _remove_maps(writer, name, left_maps)
    try:
        on = find_installed(installed, name).deployment.on
    except NoSuchDeployment as error:
        raise _with_damaged(error, rows) from None
    after = [one for one in installed if one.deployment.name != name]
    stopped = _leave(writer, name, after, {on}, (), others_may_stop=others_may_stop)
    return Removed((name,), (on,), stopped=stopped)


def _remove_damaged(writer: Writer, name: str, on: HookTarget, *, others_may_stop: bool) -> Removed:
    after = writer.state.installed()
    targets = {on}
    if on not in _targets(after):
        # Where it was cannot be told: wherever another chain runs than the readable records say.
        views = list_chains(writer.state, writer.kernel)
        targets = {view.on for view in views if view.condition == "differs"}
    stopped = _leave(writer, name, after, targets, [name], others_may_stop=others_may_stop)
    strays: tuple[PinnedLink, ...] = ()
    if on not in _targets(after):
        # Nothing that can be read was on this target, so its link belonged to the damaged one.
        strays = _strays(writer, survey(writer.kernel, after).strays, on)
        for link in strays:
            _detach(writer, link)
    return Removed((name,), (on,), strays, stopped)


def _remove_maps(writer: Writer, name: str, pins: Sequence[str]) -> Removed:
    """Take away what a deployment left that nothing remembers; no chain is touched."""
    steps = [f"remove the map {pin}" for pin in pins]
    scope = Scope(deployments=(name,))
    entry = writer.state.begin(f"remove {name}", steps, writer.now, scope)
    for pin in pins:
        writer.kernel.delete_map(name, pin)
    writer.state.end(entry, "done", writer.now)
    return Removed((name,))


def remove_all(writer: Writer, on: HookTarget) -> Removed:
    """Take everything of ours off a hook target, also what nothing declares.

    Raises:
        NoSuchDeployment: there is nothing of ours on it.
    """
    installed = writer.state.installed()
    looked = survey(writer.kernel, installed)
    meant = meant_by(writer.kernel, looked, on)
    # What was declared under the name, and runs on something else, stays.
    declared = {each for each in (meant.chain, meant.waiting) if each is not None}
    damaged = declared | ({meant.on} if meant.on not in looked.spots else set())
    rows = [row.name for row in writer.state.damaged() if row.on in damaged]
    names = [one.deployment.name for one in installed if one.deployment.on in declared]
    strays = _strays(writer, looked.strays, meant.on)
    if not (names or rows or strays):
        raise NoSuchDeployment(
            f"there is nothing of this node on {on}", hint="skep list shows what is where"
        )
    if names or rows:
        after = [one.deployment for one in installed if one.deployment.on not in declared]
        wanted = Change(f"remove everything on {meant.on}", after, also=declared, gone=rows)
        change(writer, wanted)
    for link in strays:
        _detach(writer, link)
    return Removed((*names, *rows), (meant.on,), strays)


def _with_damaged(error: NoSuchDeployment, rows: Mapping[str, HookTarget]) -> NoSuchDeployment:
    hint = f"{error.hint}; damaged: {', '.join(rows)}" if rows else error.hint
    return NoSuchDeployment(error.message, hint=hint)


def _targets(installed: Sequence[Installed]) -> set[HookTarget]:
    return {one.deployment.on for one in installed}


def _leave(
    writer: Writer,
    name: str,
    after: Sequence[Installed],
    targets: set[HookTarget],
    gone: Sequence[str],
    *,
    others_may_stop: bool,
) -> tuple[str, ...]:
    """Commit ``after`` and run it as far as it runs; returns who stops."""
    looked = survey(writer.kernel, writer.state.installed())
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
            programs[one.deployment.name] = kept_program(writer, one)
        except SkepError as error:
            lost[one.deployment.name] = error
    lost |= _damaged_members(writer, name, targets & running)
    if lost and not others_may_stop:
        raise OthersWouldStop(name, lost)

    def link(deployment: Deployment) -> LinkedDeployment:
        return programs[deployment.name]

    wanted = Change(
        f"remove {name}",
        [one.deployment for one in after],
        also=targets & running if gone else (),
        stopping=[*lost, *idle],
        gone=gone,
        link=link,
    )
    try:
        change(writer, wanted)
    except SkepError as error:
        # What stays cannot be put together, for example because somebody replaced its map.
        rest = dict.fromkeys(programs, error)
        if not rest:
            raise
        if not others_may_stop:
            raise OthersWouldStop(name, rest) from error
        change(writer, replace(wanted, stopping=[*lost, *idle, *rest]))
        lost |= rest
    return tuple(lost)


def _damaged_members(
    writer: Writer, name: str, targets: Collection[HookTarget]
) -> dict[str, SkepError]:
    """Others on these targets whose records cannot be read, so that nobody can run them again."""
    return {
        row.name: SkepError(f"its record is damaged: {row.reason}")
        for row in writer.state.damaged()
        if row.name != name and row.on in targets
    }


def _strays(writer: Writer, strays: Sequence[PinnedLink], on: HookTarget) -> tuple[PinnedLink, ...]:
    if on.hook not in HOOKS:
        return ()
    try:
        identity = writer.kernel.locate(on).identity
    except (NoSuchTarget, TargetHidden):
        return ()
    return tuple(
        link
        for link in strays
        if link.hook == on.hook and link.place is not None and link.place.identity == identity
    )


def _detach(writer: Writer, link: PinnedLink) -> None:
    places = () if link.place is None else ((link.hook, link.place.identity),)
    step = f"detach the link {link.pin}"
    entry = writer.state.begin(f"remove {link.pin}", [step], writer.now, Scope(places))
    writer.kernel.detach(link)
    writer.state.end(entry, "done", writer.now)
