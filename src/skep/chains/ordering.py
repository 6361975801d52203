"""Order on a hook target: where a deployment goes among the others.

Orders are numbers with gaps, as in old BASIC: a newcomer usually fits between two neighbours and
nobody else changes. Where there is no gap, all on the hook target are numbered anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from skep.chains.deployment import Deployment
from skep.errors import Misnamed, NotFound, UsageError
from skep.hooks.table import HookTarget

STEP = 10
LARGEST = 1_000_000_000  # leaves room for arithmetic in every database and language


class NoSuchNeighbour(NotFound):
    """There is no such deployment on this hook target to go before or after."""


class BadOrder(UsageError):
    """Not a place a deployment can have."""


@dataclass(frozen=True, slots=True)
class Last:
    """After all others."""


@dataclass(frozen=True, slots=True)
class At:
    """At this order number; equal numbers run by name."""

    order: int


@dataclass(frozen=True, slots=True)
class Before:
    """Directly before the deployment of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class After:
    """Directly after the deployment of this name."""

    name: str


Placement = Last | At | Before | After


def parse_placement(
    *, before: str | None = None, after: str | None = None, order: int | None = None
) -> Placement:
    """Make one placement of three options of which at most one may be given.

    >>> parse_placement(before="limit")
    Before(name='limit')

    Raises:
        BadOrder: for more than one of them, or an order out of range.
    """
    if sum(option is not None for option in (before, after, order)) > 1:
        raise BadOrder(
            "give only one of --before, --after and --order",
        )
    if before is not None:
        return Before(before)
    if after is not None:
        return After(after)
    if order is not None:
        if not 0 <= order <= LARGEST:
            raise BadOrder(f"expected an order from 0 to {LARGEST}, got {order}")
        return At(order)
    return Last()


def in_order(deployments: Iterable[Deployment], on: HookTarget) -> tuple[Deployment, ...]:
    """Those on one hook target, first to run first."""
    return tuple(sorted((d for d in deployments if d.on == on), key=lambda d: (d.order, d.name)))


def place(
    deployments: Sequence[Deployment], newcomer: Deployment, placement: Placement
) -> tuple[Deployment, ...]:
    """All deployments with ``newcomer`` among them; one of the same name is replaced.

    Deployments on other hook targets come back unchanged; those on the newcomer's may get new
    orders, never another sequence.

    Raises:
        NoSuchNeighbour: the neighbour is not on the newcomer's hook target.
        BadOrder: a deployment cannot be its own neighbour.
    """
    others = [d for d in deployments if d.name != newcomer.name]
    elsewhere = tuple(d for d in others if d.on != newcomer.on)
    chain = list(in_order(others, newcomer.on))
    match placement:
        case At(order):
            return (*elsewhere, *in_order([*chain, replace(newcomer, order=order)], newcomer.on))
        case Last():
            position = len(chain)
        case Before(name):
            position = _position(chain, name, newcomer)
        case After(name):
            position = _position(chain, name, newcomer) + 1
        case _:
            assert_never(placement)
    return (*elsewhere, *_insert(chain, position, newcomer))


def _position(chain: Sequence[Deployment], name: str, newcomer: Deployment) -> int:
    if name == newcomer.name:
        raise BadOrder(f"{name!r} cannot go before or after itself")
    for position, deployment in enumerate(chain):
        if deployment.name == name:
            return position
    known = tuple(each.name for each in chain)
    raise NoSuchNeighbour(
        f"there is no deployment {name[:80]!r} on {newcomer.on}",
        hint=f"deployments there: {', '.join(known) or 'none'}",
        misnamed=Misnamed(name, known),
    )


def _insert(chain: list[Deployment], position: int, newcomer: Deployment) -> list[Deployment]:
    low = chain[position - 1].order if position else -1
    if position == len(chain):
        order = low + STEP if chain else STEP
        fits = order <= LARGEST
    else:
        high = chain[position].order
        order = (low + high) // 2
        fits = low < order < high
    result = [*chain[:position], replace(newcomer, order=order), *chain[position:]]
    if fits:
        return result
    return [replace(d, order=(i + 1) * STEP) for i, d in enumerate(result)]
