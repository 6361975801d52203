"""Recovering: what a crash left is repaired by the next command, before it does its own work.

An entry of the journal that was begun and not ended means that a command died between two steps,
or could not undo. Where exactly does not matter: the committed state is what counts, the kernel is
looked at, and the difference is planned and done like any other.
"""

import logging
from collections.abc import Sequence

from skep.node.converging.reconciling import Reconciled, purge_retired, reconcile
from skep.node.converging.services import Writer
from skep.node.records import JournalEntry, Scope

log = logging.getLogger(__name__)


def recover(writer: Writer) -> Reconciled:
    """Repair what an unfinished command left; cheap if there is none.

    A hook target that cannot be helped now (its interface is gone, a key is no longer trusted)
    keeps the journal open, so every later command tries again; it stops none of them.

    Returns:
        What was done; nothing in most cases.
    """
    unfinished = writer.state.unfinished()
    if not unfinished:
        result = Reconciled()
        if writer.kernel.retired_maps():  # a crash between commit and purge
            deployments = [one.deployment for one in writer.state.installed()]
            result.done += purge_retired(writer, deployments)
        return result
    result = reconcile(writer, scope_of_all(unfinished))
    for on, error in result.problems:
        sentence = (
            f"the interrupted change could not be undone: {error.message}; the next command tries "
            "again"
        )
        log.warning(
            "recovery is not complete",
            extra={"on": str(on), "error": error.message, "sentence": sentence},
        )
    if not result.problems:
        for entry in unfinished:
            writer.state.end(entry.number, "repaired", writer.now)
        log.info("interrupted change was repaired", extra={"steps": len(result.done)})
    return result


def scope_of_all(entries: Sequence[JournalEntry]) -> Scope:
    """What any of these changes may have touched."""
    return Scope(
        tuple(place for entry in entries for place in entry.scope.places),
        tuple(name for entry in entries for name in entry.scope.deployments),
    )
