"""Maps that others put in the place of maps in use.

A running program holds the maps it was loaded with; a pin is only a name for one. Whoever can
write to the file system of pins can put another map under the name, even one of the same shape.
Settings that are written into that one change nothing that runs. So the id under each pin is
compared with the ids of the maps that the running program holds.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from skep.chains.deployment import Deployment
from skep.chains.fingerprints import chain_fingerprint, kernel_map_name
from skep.errors import Conflict
from skep.hooks.target import HookTarget
from skep.node.converging.services import Services, Writer
from skep.node.looking.identifying import declared_members, running_fingerprint
from skep.node.looking.locating import Spot, Survey, survey
from skep.node.ports import NoSuchPin, PinInTheWay


class MapReplaced(Conflict):
    """Another map is pinned than the one the running program uses."""


@dataclass(frozen=True, slots=True)
class ReplacedMap:
    """A map in use that has lost its pin.

    Attributes:
        deployment: whose map it is.
        pin: where it was pinned.
        in_use: its id; ``None`` if several of that name are in use without a pin.
        is_missing: nothing is pinned there; otherwise another map is.
    """

    deployment: str
    pin: str
    in_use: int | None
    is_missing: bool = False

    def __str__(self) -> str:
        return f"{self.deployment}/{self.pin}"


def replaced_maps(services: Services, looked: Survey) -> tuple[ReplacedMap, ...]:
    """Maps of all running chains that have lost their pins, ascending by hook target."""
    deployments = [one.deployment for one in services.state.installed()]
    return tuple(
        found
        for on in sorted(looked.spots)
        for found in _replaced(services, looked.spots[on], deployments)
    )


def require_maps_in_use(services: Services, on: HookTarget) -> None:
    """Nothing, if the pins of a chain that runs are of the maps it uses.

    Raises:
        MapReplaced: another map was put under one of the names.
    """
    installed = services.state.installed()
    names = {each.deployment.name for each in installed if each.deployment.on == on}
    for one in replaced_maps(services, survey(services.kernel, installed)):
        if one.deployment in names and not one.is_missing:
            raise MapReplaced(
                f"{replaced_text(one)}; nothing was changed",
                hint="skep doctor --repair"
                if one.in_use is not None
                else f"skep remove {one.deployment}",
            )


def replaced_text(one: ReplacedMap) -> str:
    """A sentence that says what is wrong."""
    if one.is_missing:
        return f"the map {one.pin}, which {one.deployment} uses, is not pinned any more"
    return f"another map was put in the place of {one.pin}, which {one.deployment} uses"


def put_back(writer: Writer, text: str) -> tuple[str, ...]:
    """Pin the map in use again, in place of the other one; a line for what was done."""
    for one in replaced_maps(writer.services, survey(writer.kernel, writer.state.installed())):
        if str(one) == text and one.in_use is not None:
            writer.kernel.pin_again(one.deployment, one.pin, one.in_use)
            return (f"pinned the map in use as {one.pin} of {one.deployment} again",)
    return ()


def _replaced(
    services: Services, spot: Spot, deployments: list[Deployment]
) -> Iterator[ReplacedMap]:
    members = [each for each in deployments if each.on == spot.on]
    declared = chain_fingerprint(declared_members(deployments, spot.on))
    if spot.runs is None or running_fingerprint(spot) != declared:
        return  # another chain uses other maps
    try:
        held = services.kernel.held_maps(spot.runs)
    except NoSuchPin:
        return
    pinned = {
        (each.name, pin): _pinned(services, each.name, pin) for each in members for pin in each.maps
    }
    there = set(pinned.values())
    # Maps in use that have no pin, by name. Maps that the program never mentions are not in use.
    lost = [(identity, name) for identity, name in held.items() if identity not in there]
    wanting = {key: kernel_map_name(key[1]) for key, found in pinned.items() if found not in held}
    several = Counter(wanting.values())
    for (deployment, pin), name in wanting.items():
        ids = [identity for identity, other in lost if other == name]
        if ids:
            is_sure = len(ids) == 1 and several[name] == 1
            is_missing = pinned[deployment, pin] is None
            yield ReplacedMap(deployment, pin, ids[0] if is_sure else None, is_missing)


def _pinned(services: Services, deployment: str, pin: str) -> int | None:
    try:
        return services.kernel.pinned_map_id(deployment, pin)
    except NoSuchPin:
        return None
    except PinInTheWay:
        return 0  # no map at all
