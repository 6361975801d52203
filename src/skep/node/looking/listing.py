"""Listing: what is declared, and whether it is what runs; reads, and needs little to do so."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import chain_fingerprint
from skep.chains.ordering import in_order
from skep.errors import NotFound
from skep.hooks.table import HookTarget
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.ports import Links, NoSuchInterface, StateReader
from skep.node.records import Installed

Condition = Literal["running", "not running", "differs", "no interface"]
"""``differs``: a chain of ours runs there, but not the one that is declared."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A deployment and how it is.

    Attributes:
        installed: as committed.
        condition: of its chain.
        maps_missing: pin names of maps it should have and has not.
    """

    installed: Installed
    condition: Condition
    maps_missing: tuple[str, ...] = ()

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
    """

    on: HookTarget
    members: tuple[Installed, ...]
    condition: Condition
    declared: str
    running: str


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
    conditions = {view.on: view.condition for view in list_chains(state, links)}
    return tuple(
        Listed(one, conditions[one.deployment.on], _missing(one.deployment, pinned))
        for one in installed
    )


def list_chains(state: StateReader, links: Links) -> tuple[ChainView, ...]:
    """All chains that are declared, ascending by hook target."""
    installed = state.installed()
    targets = sorted({one.deployment.on for one in installed})
    return tuple(_view(installed, links, on) for on in targets)


def view_chain(state: StateReader, links: Links, on: HookTarget) -> ChainView:
    """The chain on a hook target; without members if none is declared there."""
    return _view(state.installed(), links, on)


def _view(installed: Sequence[Installed], links: Links, on: HookTarget) -> ChainView:
    deployments = [one.deployment for one in installed]
    declared = chain_fingerprint(declared_members(deployments, on))
    by_name = {one.deployment.name: one for one in installed}
    members = tuple(by_name[d.name] for d in in_order(deployments, on))
    running = ""
    condition: Condition
    try:
        running = running_fingerprint(links, on)
    except NoSuchInterface:
        condition = "no interface"
    else:
        condition = _condition(declared, running)
    return ChainView(on, members, condition, declared, running)


def _condition(declared: str, running: str) -> Condition:
    if not running:
        return "not running"
    return "running" if running == declared else "differs"


def _missing(deployment: Deployment, pinned: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    there = pinned.get(deployment.name, frozenset())
    return tuple(pin for pin in deployment.maps if pin not in there)
