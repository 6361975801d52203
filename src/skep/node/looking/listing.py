"""Listing: what is declared, and whether it is what runs; reads, and needs little to do so."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import chain_fingerprint
from skep.chains.ordering import in_order
from skep.errors import Misnamed, NotFound, NotPermitted
from skep.hooks.identity import Place
from skep.hooks.table import HookTarget
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.looking.locating import Spot, Survey, meant_by, survey
from skep.node.occupants import Occupant
from skep.node.ports import Links, NoSuchTarget, PinnedLink, TargetHidden
from skep.node.records import Installed
from skep.node.state_ports import StateReader

Condition = Literal[
    "running",
    "not running",
    "not known",
    "differs",
    "undeclared",
    "waiting",
    "detached",
    "not visible",
    "shared",
]
"""``not known``: this command may not look; ``differs``: a chain of ours runs there, but not the
declared one; ``undeclared``: one of ours runs there, and none is declared; ``waiting``: what it is
to run on is not there; ``detached``: something has the name, and the chain is not on it; ``not
visible``: from here; ``shared``: another chain is there."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A deployment and how it is.

    Attributes:
        installed: as committed.
        condition: of its chain.
        maps_missing: pin names of maps it should have and has not.
        called: what its target is called now, if that is not what was declared.
        is_hidden: what it runs on is not visible from here.
        reason: why the condition is not known; empty if it is.
        remark: what a person should know about how its chain is attached, if that was asked.
    """

    installed: Installed
    condition: Condition
    maps_missing: tuple[str, ...] = ()
    called: HookTarget | None = None
    is_hidden: bool = False
    reason: str = ""
    remark: str = ""

    @property
    def deployment(self) -> Deployment:
        """As declared."""
        return self.installed.deployment


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain as declared, and as it runs.

    Attributes:
        on: hook target.
        members: first to run first.
        condition: whether it runs.
        declared: fingerprint it should have.
        running: fingerprint it has; empty if nothing of ours runs.
        spot: where it is; ``None`` if nothing is declared and nothing of ours runs there.
        reason: why the condition is not known; empty if it is.
        remark: what a person should know about how it is attached; empty if all is as usual.
        occupants: all programs on the hook, first to run first; ``None`` if that is not known.
    """

    on: HookTarget
    members: tuple[Installed, ...]
    condition: Condition
    declared: str
    running: str
    spot: Spot | None = None
    reason: str = ""
    remark: str = ""
    occupants: tuple[Occupant, ...] | None = None

    @property
    def is_hidden(self) -> bool:
        """What it is on is not visible from here."""
        return self.spot is not None and self.spot.standing == "hidden"


class NoSuchDeployment(NotFound):
    """The node has no deployment of this name."""


def find_installed(installed: Sequence[Installed], name: str) -> Installed:
    """The committed deployment called ``name``.

    Raises:
        NoSuchDeployment: with the names there are.
    """
    for one in installed:
        if one.deployment.name == name:
            return one
    known = tuple(one.deployment.name for one in installed)
    raise NoSuchDeployment(
        f"there is no deployment {name[:80]!r}",
        hint=f"deployments: {', '.join(known) or 'none'}",
        misnamed=Misnamed(name, known),
    )


def list_installed(
    state: StateReader, links: Links, *, with_remarks: bool = False
) -> tuple[Listed, ...]:
    """All deployments, ascending by hook target and order.

    Args:
        with_remarks: ask how each chain is attached, which takes its time where there are many.
    """
    installed = state.installed()
    pinned = links.pinned_maps()
    views = {view.on: view for view in _views(installed, survey(links, installed))}
    remarks = {on: _remark(links, view) if with_remarks else "" for on, view in views.items()}
    return tuple(
        Listed(
            one,
            views[one.deployment.on].condition,
            _missing(one.deployment, pinned),
            _called(views[one.deployment.on]),
            views[one.deployment.on].is_hidden,
            views[one.deployment.on].reason,
            remarks[one.deployment.on],
        )
        for one in installed
    )


def list_chains(state: StateReader, links: Links) -> tuple[ChainView, ...]:
    """All chains that are declared, ascending by hook target."""
    installed = state.installed()
    looked = survey(links, installed)
    return tuple(_seen(links, view, looked) for view in _views(installed, looked))


def list_undeclared_chains(state: StateReader, links: Links) -> tuple[ChainView, ...]:
    """Chains of ours that run where it can be seen and that no deployment declares."""
    looked = survey(links, state.installed())
    return tuple(
        _undeclared(links, looked, link.place, link)
        for link in looked.strays
        if link.is_attached and link.place is not None
    )


def view_chain(state: StateReader, links: Links, on: HookTarget) -> ChainView:
    """The chain on a hook target, by any of its names; without members if none is declared."""
    installed = state.installed()
    looked = survey(links, installed)
    meant = meant_by(links, looked, on)
    for view in _views(installed, looked):
        if view.on == (meant.chain or meant.waiting):
            return _seen(links, view, looked)
    try:
        place = links.locate(meant.on)
    except NoSuchTarget:
        return ChainView(meant.on, (), "not running", "", "")
    except TargetHidden:
        return ChainView(meant.on, (), "not visible", "", "")
    return _undeclared(links, looked, place, looked.stray_on(place.identity, on.hook))


def _undeclared(links: Links, looked: Survey, place: Place, link: PinnedLink | None) -> ChainView:
    on = place.called
    spot = Spot(on, "here", place, link, named=place)
    if link is None:
        reason = _unreadable(looked, spot)
        view = ChainView(on, (), "not known" if reason else "not running", "", "", spot, reason)
    else:
        running = running_fingerprint(spot)
        view = ChainView(on, (), "undeclared", "", running, spot, link.unreadable)
    return _seen(links, view, looked)


def _seen(links: Links, view: ChainView, looked: Survey) -> ChainView:
    """The same, with what else is on its hook and how it is attached."""
    spot = view.spot
    if spot is None or spot.place is None:
        return view
    occupants = None
    with suppress(NoSuchTarget, TargetHidden, NotPermitted):
        identity = spot.place.identity
        occupants = links.occupants(view.on.hook, identity, _links(looked))
    return replace(view, remark=_remark(links, view), occupants=occupants)


def _remark(links: Links, view: ChainView) -> str:
    if view.spot is None or view.spot.runs is None:
        return ""
    try:
        return links.remark(view.spot.runs)
    except (NoSuchTarget, TargetHidden):
        return ""


def _called(view: ChainView) -> HookTarget | None:
    return view.spot.called if view.spot is not None else None


def _views(installed: Sequence[Installed], looked: Survey) -> tuple[ChainView, ...]:
    deployments = [one.deployment for one in installed]
    by_name = {one.deployment.name: one for one in installed}
    views = []
    for on in sorted(looked.spots):
        spot = looked.spots[on]
        declared = chain_fingerprint(declared_members(deployments, on))
        running = running_fingerprint(spot)
        members = tuple(by_name[d.name] for d in in_order(deployments, on))
        reason = _unreadable(looked, spot)
        condition: Condition = "not known" if reason else _how(spot, declared, running)
        views.append(
            ChainView(on, members, condition, declared, "" if reason else running, spot, reason)
        )
    return tuple(views)


def _unreadable(looked: Survey, spot: Spot) -> str:
    """Why it is not known what runs somewhere: its link may not be read, or one that may be its."""
    if spot.link is not None:
        return spot.link.unreadable
    hook = spot.on.hook
    lost = [each for each in _links(looked) if each.hook == hook and each.place is None]
    return next((each.unreadable for each in lost if each.unreadable), "")


def _links(looked: Survey) -> list[PinnedLink]:
    bound = [each.link for each in looked.spots.values() if each.link is not None]
    return [*bound, *looked.strays]


def _how(spot: Spot, declared: str, running: str) -> Condition:
    if running:
        return "running" if running == declared else "differs"
    match spot.standing:
        case "here":
            return "not running"
        case "waiting":
            return "waiting" if spot.named is None else "detached"
        case "hidden":
            return "not visible"
        case "shared":
            return "shared"
        case _:
            assert_never(spot.standing)


def _missing(deployment: Deployment, pinned: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    there = pinned.get(deployment.name, frozenset())
    return tuple(pin for pin in deployment.maps if pin not in there)
