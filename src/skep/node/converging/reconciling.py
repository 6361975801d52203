"""Reconciling: make the kernel run what is declared, based only on what is observed.

Only what an unfinished change may have touched is taken away: other links and maps that nothing
declares may be somebody's running firewall, and a person decides about them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from skep.chains.deployment import Deployment
from skep.chains.planning import HookTargetHidden, HookTargetMissing
from skep.errors import SkepError
from skep.hooks.table import HookTarget
from skep.node.converging.changing import Change, change_if_needed
from skep.node.converging.kept_programs import require_readable
from skep.node.converging.services import Services, Writer
from skep.node.looking.locating import is_of_one_boot, survey
from skep.node.ports import PinnedLink
from skep.node.records import Scope


@dataclass(slots=True)
class Reconciled:
    """What was done, and what could not be.

    Attributes:
        done: a line for each thing.
        problems: hook targets that stayed as they were, with the reason.
    """

    done: list[str] = field(default_factory=list)
    problems: list[tuple[HookTarget, SkepError]] = field(default_factory=list)


def reconcile(writer: Writer, scope: Scope) -> Reconciled:
    """Make everything as declared: chains first, then what an unfinished change left goes.

    One hook target that cannot be helped does not keep the others from it. Maps of a deployment
    whose hook target could not be helped stay.

    Args:
        scope: what unfinished changes may have touched.
    """
    result = Reconciled()
    deployments = [one.deployment for one in writer.state.installed()]
    for on in sorted({deployment.on for deployment in deployments}):
        try:
            result.done += reconcile_target(writer, on)
        except (HookTargetMissing, HookTargetHidden):
            continue  # it waits, which is a state like any other
        except SkepError as error:
            result.problems.append((on, error))
    for link in undeclared_links(writer.services):
        if _is_in(scope, link) or not link.is_attached:
            writer.kernel.detach(link)
            result.done.append(f"detached the link {link.pin}, which nothing declares")
    for name, pins in undeclared_maps(writer.services).items():
        if name in scope.deployments:
            for pin in pins:
                writer.kernel.delete_map(name, pin)
                result.done.append(f"removed the map {pin}: no deployment {name} exists")
    result.done += purge_retired(writer, deployments)
    return result


def _is_in(scope: Scope, link: PinnedLink) -> bool:
    return link.place is not None and (link.hook, link.place.identity) in scope.places


def reconcile_target(writer: Writer, on: HookTarget, *, anew: bool = False) -> tuple[str, ...]:
    """Make one hook target as declared.

    Args:
        anew: bind a chain that waits to what has the name now.

    Returns:
        A line for each step that was needed.

    Raises:
        HookTargetMissing, HookTargetHidden, HookOccupied: the chain cannot run there.
        RecordDamaged: a member's record cannot be read; it would stop.
        SkepError: a member cannot be opened, linked or loaded; nothing is changed.
    """
    require_readable(writer.services, on)
    # A cookie of an earlier boot is another namespace's by now; only a person can mean that.
    anew = anew and not is_of_one_boot(on)
    deployments = [one.deployment for one in writer.state.installed()]
    wanted = Change(f"repair {on}", deployments, must_run={on}, also={on}, anew=anew)
    return change_if_needed(writer, wanted)


def undeclared_links(services: Services) -> tuple[PinnedLink, ...]:
    """Our links that belong to no declared hook target."""
    return survey(services.kernel, services.state.installed()).strays


def undeclared_maps(services: Services) -> dict[str, tuple[str, ...]]:
    """Pinned maps of deployments that are not declared, by name."""
    names = {one.deployment.name for one in services.state.installed()}
    names |= {row.name for row in services.state.damaged()}
    pinned = services.kernel.pinned_maps()
    return {name: tuple(sorted(pins)) for name, pins in pinned.items() if name not in names}


def purgeable(
    services: Services, deployments: Collection[Deployment]
) -> tuple[tuple[str, str], ...]:
    """Retired maps that no declared deployment misses; those that one does may yet go back."""
    damaged = {row.name for row in services.state.damaged()}
    pinned = services.kernel.pinned_maps()
    wanted = {(d.name, pin) for d in deployments for pin in d.maps}
    return tuple(
        (name, pin)
        for name, pins in services.kernel.retired_maps().items()
        for pin in sorted(pins)
        if name not in damaged
        and ((name, pin) not in wanted or pin in pinned.get(name, frozenset()))
    )


def purge_retired(writer: Writer, deployments: Sequence[Deployment]) -> tuple[str, ...]:
    """Remove them for good; a line for each."""
    done = []
    for name, pin in purgeable(writer.services, deployments):
        writer.kernel.purge_map(name, pin)
        done.append(f"removed the retired map {pin} of {name}")
    return tuple(done)
