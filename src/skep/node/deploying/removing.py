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
from skep.hooks.table import HookTarget
from skep.node.converging.changing import Change, change
from skep.node.converging.kept_programs import kept_program
from skep.node.converging.reconciling import undeclared_maps
from skep.node.converging.services import Writer
from skep.node.looking.listing import NoSuchDeployment, find_installed
from skep.node.looking.locating import declared_as, survey
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
            f"removing {name} would stop {names}, which nothing is left of to run again",
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
    """

    names: tuple[str, ...]
    on: tuple[HookTarget, ...] = ()
    links: tuple[PinnedLink, ...] = ()
    stopped: tuple[str, ...] = ()


def remove(writer: Writer, name: str, *, others_may_stop: bool = False) -> Removed:
    """Take a deployment away; the others on its hook target go on, with their maps.

    Works in every state it may be in: its interface is gone, hidden or taken by somebody else,
    its publisher is not trusted any more, its package or its record is damaged. Also takes away
    maps that were left by a deployment of that name.

    Args:
        others_may_stop: somebody agreed that those stop whose copies are lost.

    Raises:
        NoSuchDeployment: there is none of that name.
        OthersWouldStop: nobody agreed to that; nothing is changed.
    """
    installed = writer.state.installed()
    rows = {row.name: row.on for row in writer.state.damaged()}
    if name in rows or name in undeclared_maps(writer.services):
        on = rows.get(name)
        gone = [name]
    else:
        try:
            on = find_installed(installed, name).deployment.on
        except NoSuchDeployment as error:
            raise _with_damaged(error, rows) from None
        gone = []
    after = [one for one in installed if one.deployment.name != name]
    targets = {on} if on is not None else _targets(installed)
    stopped = _leave(writer, name, after, targets, gone, others_may_stop=others_may_stop)
    strays: tuple[PinnedLink, ...] = ()
    if name in rows and on is not None and on not in _targets(after):
        # Nothing that can be read was on this target, so its link belonged to the damaged one.
        strays = _strays(writer, survey(writer.kernel, after).strays, on)
        for link in strays:
            _detach(writer, link)
    return Removed((name,), () if on is None else (on,), strays, stopped)


def remove_all(writer: Writer, on: HookTarget) -> Removed:
    """Take everything of ours off a hook target, also what nothing declares.

    Raises:
        NoSuchDeployment: there is nothing of ours on it.
    """
    installed = writer.state.installed()
    looked = survey(writer.kernel, installed)
    declared = declared_as(writer.kernel, looked, on)
    rows = [row.name for row in writer.state.damaged() if row.on == declared]
    names = [one.deployment.name for one in installed if one.deployment.on == declared]
    strays = _strays(writer, looked.strays, declared)
    if not (names or rows or strays):
        raise NoSuchDeployment(
            f"there is nothing of this node on {on}", hint="skep list shows what is where"
        )
    if names or rows:
        after = [one for one in installed if one.deployment.on != declared]
        command = f"remove everything on {declared}"
        change(
            writer,
            Change(command, [one.deployment for one in after], also={declared}, gone=rows),
        )
    for link in strays:
        _detach(writer, link)
    return Removed((*names, *rows), (declared,), strays)


def _with_damaged(
    error: NoSuchDeployment, rows: Mapping[str, HookTarget | None]
) -> NoSuchDeployment:
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
        if row.name != name and targets and (row.on is None or row.on in targets)
    }


def _strays(writer: Writer, strays: Sequence[PinnedLink], on: HookTarget) -> tuple[PinnedLink, ...]:
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
