"""Reconciling: what runs becomes what is declared, from nothing but what is observed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from skep.chains.deployment import Deployment
from skep.chains.planning import plan
from skep.errors import SkepError
from skep.hooks.table import HOOKS, HookTarget
from skep.node.converging.inspecting import observe
from skep.node.converging.services import Services
from skep.node.ports import NoSuchInterface


@dataclass(slots=True)
class Reconciled:
    """What was done, and what could not be.

    Attributes:
        done: a line for each thing.
        problems: hook targets that stayed as they were, with the reason.
    """

    done: list[str] = field(default_factory=list)
    problems: list[tuple[HookTarget, SkepError]] = field(default_factory=list)


def reconcile(services: Services) -> Reconciled:
    """Make everything as declared: chains first, then what nobody declared goes.

    One hook target that cannot be helped does not keep the others from it. Maps of a deployment
    whose hook target could not be helped stay.
    """
    result = Reconciled()
    deployments = [one.deployment for one in services.state.installed()]
    for on in sorted({deployment.on for deployment in deployments}):
        try:
            result.done += reconcile_target(services, deployments, on)
        except SkepError as error:
            result.problems.append((on, error))
    result.done += remove_undeclared_links(services, deployments)
    result.done += remove_undeclared_maps(services, deployments)
    result.done += purge_retired(services, deployments)
    return result


def reconcile_target(
    services: Services, deployments: Sequence[Deployment], on: HookTarget
) -> tuple[str, ...]:
    """Make one hook target as declared.

    Returns:
        A line for each step that was needed.

    Raises:
        HookTargetMissing, HookOccupied: the chain cannot run there.
        SkepError: a member cannot be opened, linked or loaded; nothing is changed.
    """
    wanted = [deployment for deployment in deployments if deployment.on == on]
    linked = tuple(services.packages.linked(deployment) for deployment in wanted)
    names = {deployment.name for deployment in wanted}
    steps = plan(linked, observe(services.kernel, deployments, linked, {on}, names))
    services.interpreter.repair(steps, linked)
    return steps.summary()


def undeclared_links(
    services: Services, deployments: Collection[Deployment]
) -> tuple[tuple[str, int], ...]:
    """Our links that belong to no declared hook target, or whose interface is gone."""
    declared = set()
    for on in {deployment.on for deployment in deployments}:
        try:
            declared.add((on.hook, services.kernel.interface_index(on.target)))
        except NoSuchInterface:
            continue
    return tuple(
        (link.hook, link.ifindex)
        for link in services.kernel.links()
        if link.hook in HOOKS
        and (not link.is_attached or (link.hook, link.ifindex) not in declared)
    )


def remove_undeclared_links(
    services: Services, deployments: Collection[Deployment]
) -> tuple[str, ...]:
    """Detach them; a line for each."""
    done = []
    for hook, ifindex in undeclared_links(services, deployments):
        services.kernel.detach(hook, ifindex)
        done.append(f"detached the link {hook}-{ifindex}, which nothing declares")
    return tuple(done)


def undeclared_maps(
    services: Services, deployments: Collection[Deployment]
) -> dict[str, tuple[str, ...]]:
    """Pinned maps of deployments that are not declared, by name."""
    names = {deployment.name for deployment in deployments}
    pinned = services.kernel.pinned_maps()
    return {name: tuple(sorted(pins)) for name, pins in pinned.items() if name not in names}


def remove_undeclared_maps(
    services: Services, deployments: Collection[Deployment]
) -> tuple[str, ...]:
    """Remove them; a line for each."""
    done = []
    for name, pins in undeclared_maps(services, deployments).items():
        for pin in pins:
            services.kernel.delete_map(name, pin)
            done.append(f"removed the map {pin} of {name}, which is not declared")
    return tuple(done)


def purgeable(
    services: Services, deployments: Collection[Deployment]
) -> tuple[tuple[str, str], ...]:
    """Retired maps that no declared deployment misses; those that one does may yet go back."""
    pinned = services.kernel.pinned_maps()
    wanted = {(d.name, pin) for d in deployments for pin in d.maps}
    return tuple(
        (name, pin)
        for name, pins in services.kernel.retired_maps().items()
        for pin in sorted(pins)
        if (name, pin) not in wanted or pin in pinned.get(name, frozenset())
    )


def purge_retired(services: Services, deployments: Collection[Deployment]) -> tuple[str, ...]:
    """Remove them for good; a line for each."""
    done = []
    for name, pin in purgeable(services, deployments):
        services.kernel.purge_map(name, pin)
        done.append(f"removed the retired map {pin} of {name}")
    return tuple(done)
