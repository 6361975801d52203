"""Where declared chains are: which thing each target is now, and which link of ours is on it.

A declared target is bound when a chain is attached to it; from then on the link is followed, not
the name. So a chain stays on its interface when that is renamed or moved, and a new interface of
the old name is another one. What cannot be seen from here is hidden, never gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from skep.chains.fingerprints import chain_fingerprint, chain_member, kernel_name
from skep.chains.ordering import in_order
from skep.hooks.identity import Binding, Identity, Place
from skep.hooks.table import HookTarget, find_hook
from skep.hooks.target import COOKIE_PREFIX, HOST
from skep.node.ports import Links, NoSuchTarget, PinnedLink, TargetHidden
from skep.node.records import Installed

Standing = Literal["here", "waiting", "hidden", "shared"]
"""``waiting``: for a thing that is not there, or that was deleted and made anew; ``hidden``: not
visible from here; ``shared``: another declared chain is on the same thing."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A declared target as it is.

    Attributes:
        on: as declared.
        standing: how it is.
        place: what it is; ``None`` unless ``here`` or ``shared``.
        link: our link there, also one that has lost what it was on.
        named: what the declared name leads to now, whether that is ``place`` or another thing;
            ``None`` if nothing has the name, or it is not visible.
    """

    on: HookTarget
    standing: Standing
    place: Place | None = None
    link: PinnedLink | None = None
    named: Place | None = None

    @property
    def called(self) -> HookTarget | None:
        """What it is called now, if what was declared is not a name of it any more."""
        if self.place is None or self.named == self.place:
            return None
        return self.place.called

    @property
    def usurper(self) -> Place | None:
        """Another thing that has the declared name now."""
        return self.named if self.named != self.place else None

    @property
    def runs(self) -> PinnedLink | None:
        """The link of ours that runs something there."""
        return self.link if self.link is not None and self.link.is_attached else None


@dataclass(frozen=True, slots=True)
class Survey:
    """All declared targets, and all links of ours, at one moment.

    Attributes:
        spots: by declared target.
        strays: links that belong to no declared chain.
    """

    spots: Mapping[HookTarget, Spot]
    strays: tuple[PinnedLink, ...]

    def on(self, identity: Identity, hook: str) -> Spot | None:
        """The declared target that is this thing."""
        for spot in self.spots.values():
            if spot.place is None or spot.standing != "here":
                continue
            if (spot.on.hook, spot.place.identity) == (hook, identity):
                return spot
        return None

    def stray_on(self, identity: Identity, hook: str) -> PinnedLink | None:
        """A link of ours on this thing that belongs to no declared chain."""
        for link in self.strays:
            if link.hook == hook and link.place is not None and link.place.identity == identity:
                return link
        return None


def survey(links: Links, installed: Sequence[Installed]) -> Survey:
    """Look where everything declared is."""
    boot = links.boot()
    there = links.links()
    bindings: dict[HookTarget, Binding | None] = {}
    for one in installed:
        on, binding = one.deployment.on, one.binding
        current = binding if binding is not None and binding.boot == boot else None
        bindings[on] = bindings.get(on) or current
    # Those that are bound first: a name never takes away what a binding holds.
    spots: dict[HookTarget, Spot] = {}
    claimed: dict[tuple[str, Identity], HookTarget] = {}
    for on in sorted(bindings, key=lambda on: (bindings[on] is None, on)):
        binding = bindings[on]
        if binding is not None:
            spot = _bound(links, there, on, binding, installed)
        else:
            spot = _unbound(links, there, on, installed)
        if spot.place is not None:
            key = (on.hook, spot.place.identity)
            if claimed.setdefault(key, on) != on:
                spot = Spot(on, "shared", spot.place)
        spots[on] = _with_name(links, spot)
    used = {spot.link.pin for spot in spots.values() if spot.link is not None}
    return Survey(spots, tuple(link for link in there if link.pin not in used))


def newly_located(links: Links, looked: Survey, on: HookTarget) -> Spot:
    """Where a target is that nothing is bound to: undeclared, or waiting for what was deleted.

    Returns:
        A spot without a link; ``shared`` if a declared chain is on the same thing.
    """
    spot = _named(links, (), on)
    if spot.place is not None and looked.on(spot.place.identity, on.hook) is not None:
        return replace(spot, standing="shared")
    return spot


@dataclass(frozen=True, slots=True)
class Meant:
    """The deployment or hook target that a name means.

    Attributes:
        on: the name with its namespace.
        chain: the declared target whose chain is on it, or would be if it were there.
        waiting: another declared target of this name, that waits for what was deleted.
    """

    on: HookTarget
    chain: HookTarget | None = None
    waiting: HookTarget | None = None


def meant_by(links: Links, looked: Survey, on: HookTarget) -> Meant:
    """What a name means here.

    A name of something that a chain is bound to means that chain, whatever it was declared as. A
    chain that was declared under the name, and is on something else, is not meant.
    """
    here = resolved(links, on)
    known = looked.spots.get(here)
    try:
        place = links.locate(here)
    except (NoSuchTarget, TargetHidden):
        return Meant(here, None if known is None else here)
    waiting = here if known is not None and known.standing == "waiting" else None
    spot = looked.on(place.identity, on.hook)
    if spot is not None:
        return Meant(here, spot.on, waiting)
    return Meant(here, waiting=waiting)


def resolved(links: Links, on: HookTarget) -> HookTarget:
    """A target as it is declared: a name typed inside a namespace is one of that namespace."""
    grammar = find_hook(on.hook).target
    if on.namespace == HOST or not grammar.has_namespace:
        return replace(on, namespace="")
    return on if on.namespace else replace(on, namespace=links.here())


def _bound(
    links: Links,
    there: Sequence[PinnedLink],
    on: HookTarget,
    binding: Binding,
    installed: Sequence[Installed],
) -> Spot:
    for link in there:
        if (link.hook, link.link) == (on.hook, binding.link):
            if not link.is_attached:
                return Spot(on, "waiting", link=link)
            return Spot(on, "here" if link.place else "hidden", link.place, link)
    # Its link is gone, or is another one since a change was undone.
    link_there = _link_on(there, on.hook, binding.identity)
    if link_there is not None:
        return Spot(on, "here", link_there.place, link_there)
    recognised = _recognised(there, installed, on)
    if recognised is not None:
        return recognised
    try:
        return Spot(on, "here", links.find(on.hook, binding.identity))
    except NoSuchTarget:
        return Spot(on, "waiting")
    except TargetHidden:
        return Spot(on, "hidden")


def is_of_one_boot(on: HookTarget) -> bool:
    """Whether a target is declared by a cookie, which another namespace has after a boot."""
    return on.namespace.startswith(COOKIE_PREFIX)


def _with_name(links: Links, spot: Spot) -> Spot:
    if spot.place is not None and spot.place.called == spot.on:
        return replace(spot, named=spot.place)
    if is_of_one_boot(spot.on) and spot.standing == "waiting":
        return spot
    try:
        return replace(spot, named=links.locate(spot.on))
    except (NoSuchTarget, TargetHidden):
        return spot


def _unbound(
    links: Links, there: Sequence[PinnedLink], on: HookTarget, installed: Sequence[Installed]
) -> Spot:
    recognised = _recognised(there, installed, on)
    if recognised is not None:
        return recognised
    if is_of_one_boot(on):
        return Spot(on, "waiting")  # whoever has the cookie now is somebody else
    return _named(links, there, on)


def _recognised(
    there: Sequence[PinnedLink], installed: Sequence[Installed], on: HookTarget
) -> Spot | None:
    """By the chain that runs: its name is that of no other chain, wherever it is by now."""
    deployments = in_order((one.deployment for one in installed), on)
    name = kernel_name(chain_fingerprint([chain_member(each) for each in deployments]))
    for link in there:
        if link.is_attached and (link.hook, link.program_name) == (on.hook, name):
            return Spot(on, "here" if link.place else "hidden", link.place, link)
    return None


def _named(links: Links, there: Sequence[PinnedLink], on: HookTarget) -> Spot:
    try:
        place = links.locate(on)
    except NoSuchTarget:
        return Spot(on, "waiting")
    except TargetHidden:
        return Spot(on, "hidden")
    return Spot(on, "here", place, _link_on(there, on.hook, place.identity))


def _link_on(there: Sequence[PinnedLink], hook: str, identity: Identity) -> PinnedLink | None:
    for link in there:
        if link.hook == hook and link.place is not None and link.place.identity == identity:
            return link
    return None
