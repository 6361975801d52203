"""Which declared target an install means: names are resolved before anything is compared."""

from collections.abc import Sequence
from dataclasses import replace

from skep.chains.planning import HookOccupied, HookTargetHidden, HookTargetMissing
from skep.errors import Conflict
from skep.hooks.table import HookTarget
from skep.node.converging.inspecting import in_the_way
from skep.node.converging.services import Services
from skep.node.looking.locating import Spot, Survey, newly_located, resolved, survey
from skep.node.ports import NoSuchTarget, TargetHidden
from skep.node.records import Installed


class NameMoved(Conflict):
    """A chain was installed under this name, and what it is bound to has another name now."""


def declared_target(
    services: Services, installed: Sequence[Installed], on: HookTarget
) -> HookTarget:
    """The hook target to install on.

    If a chain is on the very thing already, under whatever name it was declared, its target is
    meant: there are never two chains on one hook.

    Raises:
        HookTargetMissing, HookTargetHidden: there is nothing of this name, or it cannot be seen.
        HookOccupied: another tool's program is there.
        NameMoved: the name was that of something else, which has a chain.
    """
    wanted = resolved(services.kernel, on)
    looked = survey(services.kernel, installed)
    try:
        place = services.kernel.locate(wanted)
    except NoSuchTarget as error:
        raise HookTargetMissing(error.message, hint=error.hint) from error
    except TargetHidden as error:
        raise HookTargetHidden(error.message, hint=error.hint) from error
    # A namespace may be written in several ways; what is stored has one.
    wanted = replace(wanted, namespace=place.called.namespace)
    spot = looked.on(place.identity, wanted.hook)
    if spot is None:
        _check_name(looked, wanted)
        spot = newly_located(services.kernel, looked, wanted)
    _check_room(services, looked, spot)
    return spot.on


def _check_name(looked: Survey, wanted: HookTarget) -> None:
    known = looked.spots.get(wanted)
    if known is None or known.standing == "waiting":
        return
    if known.called is not None:
        raise NameMoved(
            f"what {wanted} was when its chain was installed is called {known.called} now, and "
            "another one has the name",
            hint="skep doctor --repair",
        )
    raise NameMoved(
        f"what {wanted} was when its chain was installed is not visible from here, and another "
        "one has the name",
        hint="skep list",
    )


def _check_room(services: Services, looked: Survey, spot: Spot) -> None:
    stranger = in_the_way(services.kernel, spot, looked)
    if stranger:
        raise HookOccupied(
            f"{spot.on} is taken by {stranger}",
            hint="remove that program first; Skep does not replace what it did not attach",
        )
