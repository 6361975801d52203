"""Which chain is declared on a hook target, and which runs, by fingerprint.

Apart from :mod:`skep.node.converging.inspecting`: listing needs no more and must start fast.
"""

from collections.abc import Sequence

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import ChainMember, chain_member, fingerprint_in
from skep.chains.ordering import in_order
from skep.hooks.table import HookTarget
from skep.node.ports import Links

UNRECOGNISED = "unrecognised"
"""Stands for a fingerprint where our link runs a program that is not a chain of ours."""


def declared_members(deployments: Sequence[Deployment], on: HookTarget) -> tuple[ChainMember, ...]:
    """Members of the chain that deployments make on a hook target, in order.

    Raises:
        UnknownHook, UnknownVerdict: a deployment comes from another version of Skep.
    """
    return tuple(chain_member(deployment) for deployment in in_order(deployments, on))


def running_fingerprint(links: Links, on: HookTarget) -> str:
    """Fingerprint of our chain that runs on a hook target; empty if none does.

    Raises:
        NoSuchInterface: the interface does not exist.
    """
    ifindex = links.interface_index(on.target)
    for link in links.links():
        if (link.hook, link.ifindex) == (on.hook, ifindex) and link.is_attached:
            return fingerprint_in(link.program_name) or UNRECOGNISED
    return ""
