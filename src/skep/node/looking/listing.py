"""Listing: what is declared, and whether it is what runs; reads, and needs little to do so."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import chain_fingerprint
from skep.chains.ordering import in_order
from skep.errors import NotFound
from skep.hooks.table import HookTarget
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.looking.locating import Spot, Survey, meant_by, survey
from skep.node.ports import Links, StateReader
from skep.node.records import Installed

Condition = Literal[
    "running", "not running", "differs", "waiting", "detached", "not visible", "shared"
]
"""``differs``: a chain of ours runs there, but not the one that is declared; ``waiting``: what it
is to run on is not there; ``detached``: something has the name, and the chain is not on it;
``not visible``: from here; ``shared``: another chain is there."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A deployment and how it is.

    Attributes:
        installed: as committed.
        condition: of its chain.
        maps_missing: pin names of maps it should have and has not.
        called: what its target is called now, if that is not what was declared.
        is_hidden: what it runs on is not visible from here.
    """

    installed: Installed
    condition: Condition
    maps_missing: tuple[str, ...] = ()
    called: HookTarget | None = None
    is_hidden: bool = False

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
        spot: where it is; ``None`` if nothing is declared there.
    """

    on: HookTarget
    members: tuple[Installed, ...]
    condition: Condition
    declared: str
    running: str
    spot: Spot | None = None

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
    names = ", ".join(one.deployment.name for one in installed) or "none"
    raise NoSuchDeployment(
        f"expected the name of a deployment, got {name[:80]!r}", hint=f"deployments: {names}"
    )


def list_installed(state: StateReader, links: Links) -> tuple[Listed, ...]:
    """All deployments, ascending by hook target and order."""
    installed = state.installed()
    pinned = links.pinned_maps()
    views = {view.on: view for view in _views(installed, survey(links, installed))}
    return tuple(
        Listed(
            one,
            views[one.deployment.on].condition,
            _missing(one.deployment, pinned),
            _called(views[one.deployment.on]),
            views[one.deployment.on].is_hidden,
        )
        for one in installed
    )


def list_chains(state: StateReader, links: Links) -> tuple[ChainView, ...]:
    """All chains that are declared, ascending by hook target."""
    installed = state.installed()
    return _views(installed, survey(links, installed))


def view_chain(state: StateReader, links: Links, on: HookTarget) -> ChainView:
    """The chain on a hook target, by any of its names; without members if none is there."""
    installed = state.installed()
    looked = survey(links, installed)
    meant = meant_by(links, looked, on)
    for view in _views(installed, looked):
        if view.on == (meant.chain or meant.waiting):
            return view
    return ChainView(meant.on, (), "not running", "", "")


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
        views.append(ChainView(on, members, _how(spot, declared, running), declared, running, spot))
    return tuple(views)


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
