"""Composing without a splicer: one trivial program that holds the maps of all members."""

from collections.abc import Mapping

from tests.builders.deployments import returning

from skep.chains.fingerprints import kernel_name, map_pin_name
from skep.chains.planning import Chain, LinkedDeployment
from skep.node.converging.executing import Composed
from skep.node.ports import Kernel, MapPin
from skep.node.records import Measured


def fake_compose(kernel: Kernel, chain: Chain, linked: Mapping[str, LinkedDeployment]) -> Composed:
    measured = {}
    pins: list[MapPin] = []
    for member in chain.members:
        one = linked[member.deployment]
        mine = [MapPin(member.deployment, map_pin_name(m), m) for m in one.maps]
        alone = kernel.load(one.program, mine, "skep_alone")
        measured[member.deployment] = Measured(alone.verified_instructions, alone.stack_bytes)
        alone.close()
        pins += mine
    program = kernel.load(returning(2), pins, kernel_name(chain.fingerprint))
    return Composed(program, measured)
