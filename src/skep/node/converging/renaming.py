"""Recording new names: what chains are bound to was renamed or moved, and stays what it is."""

from collections.abc import Mapping
from dataclasses import replace

from skep.errors import Conflict
from skep.hooks.identity import Binding
from skep.hooks.table import HookTarget
from skep.node.converging.kept_programs import forget_other_copies, kept_program
from skep.node.converging.services import Writer
from skep.node.looking.locating import Spot, is_of_one_boot, survey
from skep.node.records import Installed


class NameInUse(Conflict):
    """Another chain was declared under the new name."""


def record_name(writer: Writer, on: HookTarget) -> tuple[str, ...]:
    """Declare a chain under the name that what it is bound to has now; nothing else changes.

    Where the new name is the old one of another chain, that one is renamed in the same step:
    names may have been exchanged.

    Returns:
        A line for each name that was recorded; none if nothing is to be.

    Raises:
        NameInUse: another chain is declared under it, and has no new name itself.
        SkepError: a member's kept copy and its package are both unusable.
    """
    installed = writer.state.installed()
    spots = survey(writer.kernel, installed).spots
    names = _names(spots, on)
    if not names:
        return ()
    done = tuple(f"{was} is declared as {now} now" for was, now in names.items())
    entry = writer.state.begin("record new names", done, writer.now)
    after = [
        _renamed(writer, one, names[one.deployment.on], _binding(writer, spots[one.deployment.on]))
        if one.deployment.on in names
        else one
        for one in installed
    ]
    writer.state.commit(entry, after, writer.now)
    forget_other_copies(writer)
    return done


def record_bindings(writer: Writer) -> bool:
    """Note where links are that were moved, so that they are found again; whether any was."""
    installed = writer.state.installed()
    spots = survey(writer.kernel, installed).spots
    after = [
        replace(one, binding=_binding(writer, spots[one.deployment.on]) or one.binding)
        for one in installed
    ]
    if after == list(installed):
        return False
    entry = writer.state.begin("note where chains are", [], writer.now)
    writer.state.commit(entry, after, writer.now)
    return True


def _names(spots: Mapping[HookTarget, Spot], on: HookTarget) -> dict[HookTarget, HookTarget]:
    """New names by old ones: of ``on``, and of every chain whose old name is needed for that."""
    names: dict[HookTarget, HookTarget] = {}
    was: HookTarget | None = on
    while was is not None and was not in names:
        called = spots[was].called if was in spots else None
        if called is None or (is_of_one_boot(called) and not is_of_one_boot(was)):
            if not names:
                return {}
            raise NameInUse(
                f"{on} is called {names[on]} now, and another chain was installed under that name",
                hint=f"skep remove --on {was}",
            )
        names[was] = called
        was = called if called in spots else None
    return names


def _binding(writer: Writer, spot: Spot) -> Binding | None:
    # In another namespace it may have another number.
    if spot.place is None or spot.link is None:
        return None
    return Binding(writer.kernel.boot(), spot.place.identity, spot.link.link)


def _renamed(
    writer: Writer, one: Installed, called: HookTarget, binding: Binding | None
) -> Installed:
    # The kept copy names its target, so that none of another place can stand in for it.
    copy = kept_program(writer.services, one)
    deployment = one.deployment.with_target(called)
    kept = writer.kept.keep(
        replace(copy, deployment=replace(deployment, maps=copy.deployment.maps))
    )
    return replace(one, deployment=deployment, kept=str(kept), binding=binding or one.binding)
