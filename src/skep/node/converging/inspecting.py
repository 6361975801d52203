"""What is there, read from the kernel and bpffs and compared with what was committed.

The database is asked for one thing only: which declared chain a fingerprint belongs to.
"""

from collections.abc import Collection, Mapping, Sequence

from skep.chains.deployment import Deployment
from skep.chains.planning import Chain, LinkedDeployment, Observed
from skep.hooks.table import HookTarget
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.ports import Kernel, NoSuchInterface


def declared_chain(deployments: Sequence[Deployment], on: HookTarget) -> Chain:
    """The chain that deployments make on a hook target.

    Raises:
        UnknownHook, UnknownVerdict: a deployment comes from another version of Skep.
    """
    return Chain.of(declared_members(deployments, on))


def observe(
    kernel: Kernel,
    committed: Sequence[Deployment],
    linked: Sequence[LinkedDeployment],
    targets: Collection[HookTarget],
    names: Collection[str],
) -> Observed:
    """Observe hook targets and the maps of deployments.

    Args:
        kernel: where to look.
        committed: deployments whose chains may be running.
        linked: deployments whose settings are to be compared.
        targets: hook targets to look at.
        names: deployments whose maps to look at.
    """
    chains: dict[HookTarget, Chain] = {}
    foreign: dict[HookTarget, str] = {}
    absent: set[HookTarget] = set()
    for on in targets:
        try:
            fingerprint = running_fingerprint(kernel, on)
        except NoSuchInterface:
            absent.add(on)
            continue
        if fingerprint:
            declared = declared_chain(committed, on)
            known = declared.fingerprint == fingerprint
            chains[on] = declared if known else Chain(fingerprint)
        elif stranger := kernel.foreign_program(on.hook, kernel.interface_index(on.target)):
            foreign[on] = stranger
    wanted = set(names)
    maps = {name: pins for name, pins in kernel.pinned_maps().items() if name in wanted}
    retired = {
        name: pins - maps.get(name, frozenset())
        for name, pins in kernel.retired_maps().items()
        if name in wanted
    }
    return Observed(
        chains=chains,
        foreign=foreign,
        absent=frozenset(absent),
        maps=maps,
        retired=retired,
        entries=_entries(kernel, linked, (maps, retired)),
    )


def _entries(
    kernel: Kernel,
    linked: Sequence[LinkedDeployment],
    there: Sequence[Mapping[str, frozenset[str]]],
) -> dict[tuple[str, str], dict[bytes, bytes]]:
    entries = {}
    for one in linked:
        name = one.deployment.name
        for setting in one.settings:
            if any(setting.pin in maps.get(name, frozenset()) for maps in there):
                keys = None if setting.whole else [key for key, _ in setting.entries]
                entries[name, setting.pin] = kernel.read_entries(name, setting.pin, keys)
    return entries
