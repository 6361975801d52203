"""Which chain is declared on a hook target, and which runs, by fingerprint.

Apart from :mod:`skep.node.converging.inspecting`: listing needs no more and must start fast.
"""

from collections.abc import Sequence

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import ChainMember, chain_member, fingerprint_in
from skep.chains.ordering import in_order
from skep.hooks.table import HookTarget
from skep.node.looking.locating import Spot

UNRECOGNISED = "unrecognised"
"""Stands for a fingerprint where our link runs a program that is not a chain of ours."""


def declared_members(deployments: Sequence[Deployment], on: HookTarget) -> tuple[ChainMember, ...]:
    """Members of the chain that deployments make on a hook target, in order.

    Raises:
        UnknownHook, UnknownVerdict: a deployment comes from another version of Skep.
    """
    return tuple(chain_member(deployment) for deployment in in_order(deployments, on))


def running_fingerprint(spot: Spot) -> str:
    """Fingerprint of our chain that runs on a hook target; empty if none does."""
    if spot.runs is None:
        return ""
    return fingerprint_in(spot.runs.program_name) or UNRECOGNISED
