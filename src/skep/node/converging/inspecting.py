"""The state of kernel and bpffs, compared with the committed one.

The database is asked for two things only: which declared chain a fingerprint belongs to, and what
a declared target was bound to.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from skep.chains.deployment import Deployment
from skep.chains.planning import Chain, LeftEntries, LinkedDeployment, Observed
from skep.hooks.table import HookTarget
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.looking.locating import Spot, Survey, is_of_one_boot
from skep.node.ports import KernelReader, NoSuchTarget, TargetHidden


def declared_chain(deployments: Sequence[Deployment], on: HookTarget) -> Chain:
    """The chain that deployments make on a hook target.

    Raises:
        UnknownHook, UnknownVerdict: a deployment comes from another version of Skep.
    """
    return Chain.of(declared_members(deployments, on))


@dataclass(slots=True)
class _Targets:
    """What is on hook targets."""

    chains: dict[HookTarget, Chain]
    foreign: dict[HookTarget, str]
    absent: dict[HookTarget, str]
    hidden: set[HookTarget]


def observe(
    kernel: KernelReader,
    committed: Sequence[Deployment],
    linked: Sequence[LinkedDeployment],
    spots: Mapping[HookTarget, Spot],
    names: Collection[str],
    looked: Survey,
    left: Mapping[str, Sequence[LeftEntries]] = MappingProxyType({}),
) -> Observed:
    """Observe hook targets and the maps of deployments.

    Args:
        kernel: where to look.
        committed: deployments whose chains may be running.
        linked: deployments whose settings are to be compared.
        spots: hook targets to look at, and where they are.
        names: deployments whose maps to look at.
        looked: all declared targets and links.
        left: of deployments, entries that are to go, whose keys are compared too.
    """
    targets = _Targets({}, {}, {}, set())
    for spot in spots.values():
        _look(kernel, committed, spot, looked, targets)
    wanted = set(names)
    maps = {name: pins for name, pins in kernel.pinned_maps().items() if name in wanted}
    retired = {
        name: pins - maps.get(name, frozenset())
        for name, pins in kernel.retired_maps().items()
        if name in wanted
    }
    return Observed(
        chains=targets.chains,
        foreign=targets.foreign,
        absent=targets.absent,
        hidden=frozenset(targets.hidden),
        maps=maps,
        retired=retired,
        entries=_entries(kernel, linked, (maps, retired), left),
    )


def _look(
    kernel: KernelReader,
    committed: Sequence[Deployment],
    spot: Spot,
    looked: Survey,
    found: _Targets,
) -> None:
    on = spot.on
    fingerprint = running_fingerprint(spot)
    if fingerprint:
        declared = declared_chain(committed, on)
        found.chains[on] = declared if declared.fingerprint == fingerprint else Chain(fingerprint)
    elif spot.standing == "waiting":
        found.absent[on] = missing_text(on) if spot.named is None else detached_text(on)
    elif spot.standing == "hidden":
        found.hidden.add(on)
    elif stranger := in_the_way(kernel, spot, looked):
        found.foreign[on] = stranger


def missing_text(on: HookTarget) -> str:
    """A sentence that says what is not there."""
    if is_of_one_boot(on):
        return f"{on} was in a network namespace of an earlier boot, or one that has ended"
    where = f" in the network namespace {on.namespace}" if on.namespace else ""
    return f"there is no {on.target}{where}"


def detached_text(on: HookTarget) -> str:
    """A sentence that says that what has the name now is not what the chain was on."""
    return f"{on} was replaced, or its link was detached; skep doctor --repair attaches to it"


def in_the_way(kernel: KernelReader, spot: Spot, looked: Survey) -> str | None:
    """Describe what keeps a chain from a place where none of its own runs."""
    if spot.place is None or spot.runs is not None:
        return None
    identity, hook = spot.place.identity, spot.on.hook
    other = looked.on(identity, hook)
    if other is not None and other.on != spot.on:
        return f"the chain that was installed on {other.on}, which is the same"
    if looked.stray_on(identity, hook) is not None:
        return (
            "a chain of this node that no deployment declares (skep remove "
            f"--on {spot.place.called} removes it)"
        )
    try:
        return kernel.foreign_program(hook, identity)
    except (NoSuchTarget, TargetHidden):
        return None


def _entries(
    kernel: KernelReader,
    linked: Sequence[LinkedDeployment],
    there: Sequence[Mapping[str, frozenset[str]]],
    left: Mapping[str, Sequence[LeftEntries]],
) -> dict[tuple[str, str], dict[bytes, bytes]]:
    entries = {}
    for one in linked:
        name = one.deployment.name
        gone = {each.restored.pin: each.gone for each in left.get(name, ())}
        for setting in one.settings:
            if any(setting.pin in maps.get(name, frozenset()) for maps in there):
                own = [key for key, _ in setting.entries]
                keys = None if setting.whole else [*own, *gone.get(setting.pin, ())]
                entries[name, setting.pin] = kernel.read_entries(name, setting.pin, keys)
    return entries
