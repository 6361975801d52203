"""Recording a new name: what a chain is bound to was renamed or moved, and stays what it is."""

from dataclasses import replace

from skep.errors import Conflict
from skep.hooks.identity import Binding
from skep.hooks.table import HookTarget
from skep.node.converging.kept_programs import forget_other_copies, kept_program
from skep.node.converging.services import Writer
from skep.node.looking.locating import Spot, survey
from skep.node.records import Installed


class NameInUse(Conflict):
    """Another chain was declared under the new name."""


def record_name(writer: Writer, on: HookTarget) -> tuple[str, ...]:
    """Declare a chain under the name that what it is bound to has now; nothing else changes.

    Returns:
        A line for what was done; none if the name is the same.

    Raises:
        NameInUse: another chain is declared under it.
        SkepError: a member's kept copy and its package are both unusable.
    """
    installed = writer.state.installed()
    spot = survey(writer.kernel, installed).spots.get(on)
    called = spot.called if spot is not None else None
    if spot is None or called is None:
        return ()
    if any(one.deployment.on == called for one in installed):
        raise NameInUse(
            f"{on} is called {called} now, and another chain was installed under that name",
            hint=f"skep remove --on {called}, or rename the interface",
        )
    done = f"{on} is declared as {called} now"
    entry = writer.state.begin(f"record the name {called}", [done], writer.now)
    binding = _binding(writer, spot)
    after = [
        _renamed(writer, one, called, binding) if one.deployment.on == on else one
        for one in installed
    ]
    writer.state.commit(entry, after, writer.now)
    forget_other_copies(writer)
    return (done,)


def _binding(writer: Writer, spot: Spot) -> Binding | None:
    # In another namespace it may have another number.
    if spot.place is None or spot.link is None:
        return None
    return Binding(writer.kernel.boot(), spot.place.identity, spot.link.link)


def _renamed(
    writer: Writer, one: Installed, called: HookTarget, binding: Binding | None
) -> Installed:
    # The kept copy names its target, so that none of another place can stand in for it.
    copy = kept_program(writer, one)
    deployment = replace(one.deployment, on=called)
    kept = writer.kept.keep(
        replace(copy, deployment=replace(deployment, maps=copy.deployment.maps))
    )
    return replace(one, deployment=deployment, kept=str(kept), binding=binding or one.binding)
