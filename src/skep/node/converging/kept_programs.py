"""Linked programs of deployments that run: from the copies that were kept, not from packages.

Taking one member away must not depend on the packages of the others: their publisher may have
lost our trust, their bytes may be gone. What stays is spliced anew from the copies that were made
when it was verified and installed, and only from those:

1. the digest comes from the deployment's record, and the copy is hashed before it is parsed (the
   ``Kept`` port);
2. the copy is of this very deployment: name, package, programs and hook targets are those of the
   record, so that no copy of another one can be put in its place.

Only where there is no such copy is the package opened, with all checks that an install makes.
"""

import logging
from dataclasses import replace

from skep.chains.deployment import Deployment
from skep.chains.planning import LinkedDeployment
from skep.digests import Digest
from skep.errors import Conflict, SkepError
from skep.hooks.table import HookTarget
from skep.node.converging.services import Services, Writer
from skep.node.kept_ports import KeptDamaged
from skep.node.records import DamagedRow, Installed
from skep.node.store.rows import require_usable

log = logging.getLogger(__name__)


class RecordDamaged(Conflict):
    """The record of a member cannot be read, so its chain cannot be put together again."""


def kept_program(services: Services, one: Installed) -> LinkedDeployment:
    """The linked program of a committed deployment.

    Raises:
        SkepError: there is no copy, and its package cannot be opened, verified or linked.
    """
    try:
        copy = services.kept.kept(Digest.parse(one.kept))  # (1)
        _check(copy.deployment, one.deployment)  # (2)
    except SkepError:
        return services.packages.linked(one.deployment)
    return replace(copy, deployment=replace(one.deployment, maps=copy.deployment.maps))


def _check(copy: Deployment, declared: Deployment) -> None:
    for field in ("name", "digest", "attachments"):
        if getattr(copy, field) != getattr(declared, field):
            raise KeptDamaged(
                f"the kept copy of {declared.name} is of another deployment: its {field} differs"
            )


def restored(writer: Writer, row: DamagedRow) -> Installed | None:
    """A damaged record as it was, from its kept copy; ``None`` if that is lost, too.

    What was agreed to is not in the copy: where that is not readable, the next change asks again.
    """
    try:
        copy = writer.kept.kept(Digest.parse(row.kept))
    except SkepError:
        return None
    deployment, consent = copy.deployment, row.consent
    if deployment.name != row.name:
        return None
    try:
        require_usable(deployment)
    except ValueError:
        return None
    if consent is not None and consent.digest != deployment.digest:
        consent = None
    return Installed(deployment, writer.now, consent=consent, binding=row.binding, kept=row.kept)


def require_readable(services: Services, on: HookTarget) -> None:
    """Nothing, if every record of a chain can be read.

    Raises:
        RecordDamaged: one cannot, so a change of the chain would take its program away.
    """
    for row in services.state.damaged():
        if row.on == on:
            raise RecordDamaged(
                f"the record of {row.name} is damaged ({row.reason}), and its kept copy is lost",
                hint=f"skep remove {row.name}",
            )


def require_own_record(services: Services, name: str) -> None:
    """Nothing, unless there is a deployment of that name whose record cannot be read.

    Raises:
        RecordDamaged: there is one; a change restores it first if its kept copy allows it, a dry
            run changes nothing.
    """
    for row in services.state.damaged():
        if row.name == name:
            raise RecordDamaged(
                f"the record of {name} is damaged: {row.reason}", hint="skep doctor --repair"
            )


def restore_records(writer: Writer) -> tuple[DamagedRow, ...]:
    """Rewrite damaged records from their kept copies, where these allow it.

    Returns:
        The records that were restored, as they were before.
    """
    found = [(row, one) for row in writer.state.damaged() if (one := restored(writer, row))]
    if not found:
        return ()
    steps = [f"restore the record of {row.name} from its kept copy" for row, _ in found]
    entry = writer.state.begin("restore damaged records", steps, writer.now)
    back = [one for _, one in found]
    writer.state.commit(entry, [*writer.state.installed(), *back], writer.now)
    return tuple(row for row, _ in found)


def restore_before_change(writer: Writer) -> None:
    """The same before a change that was asked for; a warning says what was damaged."""
    for row in restore_records(writer):
        log.warning(
            "damaged record restored",
            extra={
                "deployment": row.name,
                "reason": row.reason,
                "sentence": f"the record of {row.name} was damaged: {row.reason}; it was restored "
                "from its kept copy",
            },
        )


def keep_again(writer: Writer, name: str) -> tuple[str, ...]:
    """Make a new copy of a deployment from its package; a line for what was done.

    Raises:
        SkepError: its package cannot be opened, verified or linked, or the copy not be written.
    """
    installed = writer.state.installed()
    for one in installed:
        if one.deployment.name == name:
            digest = str(writer.kept.keep(writer.packages.linked(one.deployment)))
            line = f"make a new copy of {name}"
            entry = writer.state.begin(line, [line], writer.now)
            after = [replace(each, kept=digest) if each is one else each for each in installed]
            writer.state.commit(entry, after, writer.now)
            return (f"made a new copy of {name}",)
    return ()


def forget_other_copies(writer: Writer) -> None:
    """Remove every copy that no committed deployment names, for the end of a change."""
    texts = [one.kept for one in writer.state.installed()]
    texts += [one.kept for one in writer.state.damaged()]
    wanted = []
    for text in texts:
        try:
            wanted.append(Digest.parse(text))
        except SkepError:
            continue  # none was kept, or its record is damaged
    writer.kept.forget_except(wanted)
