"""Consent: what was agreed to is kept, and asked again only for what is new (product promise 8).

Every change that loads programs derives the label of each member of the chain anew and compares it
with the consent stored for it. What exceeds it needs an answer, and without one nothing is
changed. What runs already is never stopped for want of consent: removing and repairing ask nothing.

What exceeds a consent (rule 8 of the permissions, :mod:`skep.bytecode.analysis.growth`):

1. a permission of the label shown that goes beyond the label that was agreed to; but only
2. if this change brings it: the same deployment did not have it here before the change; or
3. if a newer analyser found it: the label of the package as compiled has grown in it, too.

So a new kernel alone asks nothing: the package's label is the same, and so are the deployments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from skep.bytecode.analysis.growth import Granted, Growth, growth
from skep.bytecode.analysis.texts import permission_text
from skep.chains.deployment import Deployment
from skep.chains.ordering import in_order
from skep.errors import NeedsConsent
from skep.hooks.table import HookTarget
from skep.node.converging.services import Services, Writer
from skep.node.labels import ConsentLabel
from skep.node.records import Consent, ConsentRecord, How, Installed, Outcome

Kind = Literal["new", "unknown", "exceeds"]
"""A newcomer, a deployment from before consent was stored, one that exceeds its consent."""


@dataclass(frozen=True, slots=True)
class Need:
    """A deployment that needs consent before it is loaded.

    Attributes:
        deployment: as it would be.
        label: as it would be; what is stored if somebody agrees.
        exceeding: what goes beyond what was agreed to; everything if nothing was.
        kind: why.
    """

    deployment: Deployment
    label: ConsentLabel
    exceeding: tuple[Growth, ...]
    kind: Kind

    @property
    def text(self) -> str:
        """One line for people."""
        name = self.deployment.name
        match self.kind:
            case "new":
                return f"installing {name} needs consent"
            case "unknown":
                return f"{name} was installed before consent was stored; it needs consent once"
            case "exceeds":
                what = ", ".join(_named(each.permission) for each in self.exceeding)
                return f"{name} may do more than was agreed to: {what}"
            case _:
                assert_never(self.kind)

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each permission without consent."""
        return tuple(
            f"{each.text if self.kind == 'exceeds' else _plain(each)}  [{each.permission.id}]"
            for each in self.exceeding
        )


def _plain(each: Growth) -> str:
    now = each.permission
    return permission_text(now.id, now.confidence, now.scope)


def _named(permission: Granted) -> str:
    return f"{permission.id} ({permission.scope})" if permission.scope else permission.id


class ConsentNeeded(NeedsConsent):
    """A change needs a consent that is missing. Nothing was changed.

    Attributes:
        needs: for what consent is needed.
    """

    def __init__(self, needs: Sequence[Need], message: str = "", *, hint: str = "") -> None:
        super().__init__(
            message or "; ".join(need.text for need in needs),
            hint=hint or "review what it may do, then agree",
            detail="\n".join(
                f"{need.deployment.name}: {line}" if len(needs) > 1 else line
                for need in needs
                for line in need.lines
            ),
        )
        self.needs = tuple(needs)


@dataclass(frozen=True, slots=True)
class NotAsked:
    """No consent can be given: a change that needs it is refused."""


@dataclass(frozen=True, slots=True)
class YesToAll:
    """Somebody agreed beforehand, whatever the labels say (``--yes``)."""

    person: str


@dataclass(frozen=True, slots=True)
class YesTo:
    """Somebody was shown these labels, and agreed to them and nothing else."""

    person: str
    needs: tuple[Need, ...]


Answer = NotAsked | YesToAll | YesTo
NOT_ASKED = NotAsked()


def exceeding(
    consent: Consent | None, label: ConsentLabel, before: Sequence[Granted] | None = None
) -> tuple[Growth, ...]:
    """What of a label goes beyond a consent; see the module for the rule.

    Args:
        consent: ``None`` if nothing was ever agreed to.
        label: as it would be.
        before: what the label showed here before the change; ``None`` if the change does not
            touch this deployment.
    """
    if consent is None:
        return growth((), label.shown)
    # (1)
    beyond = growth(consent.shown, label.shown)
    # (2)
    brought = _keys(growth(before, label.shown)) if before is not None else set()
    # (3)
    found = _keys(growth(consent.package, label.package))
    return tuple(each for each in beyond if _key(each) in brought | found)


def _key(each: Growth) -> tuple[str, str]:
    return each.permission.id, each.permission.scope


def _keys(grown: Sequence[Growth]) -> set[tuple[str, str]]:
    return {_key(each) for each in grown}


def find_needs(services: Services, after: Sequence[Deployment], on: HookTarget) -> tuple[Need, ...]:
    """What needs consent before the chain on a hook target can be loaded, in the chain's order.

    Args:
        after: deployments as they would be.

    Raises:
        SkepError: a member's package cannot be opened.
    """
    installed = {one.deployment.name: one for one in services.state.installed()}
    found = (_need(services, each, installed.get(each.name)) for each in in_order(after, on))
    return tuple(need for need in found if need is not None)


def _need(services: Services, deployment: Deployment, known: Installed | None) -> Need | None:
    label = services.packages.label(deployment)
    return need_of(
        deployment,
        label,
        known,
        # Derived on this kernel by this analyser, so that only the change makes a difference.
        before=services.packages.label(known.deployment).shown
        if known is not None and _loads_other(known.deployment, deployment)
        else None,
    )


def need_of(
    deployment: Deployment,
    label: ConsentLabel,
    known: Installed | None,
    *,
    before: Sequence[Granted] | None = None,
) -> Need | None:
    """What needs consent of one deployment, if anything does.

    Args:
        known: the deployment as it is committed; ``None`` for a newcomer.
        before: see :func:`exceeding`.
    """
    consent = known.consent if known is not None else None
    found = exceeding(consent, label, before)
    if known is None:
        return Need(deployment, label, found, "new")
    if consent is None:
        return Need(deployment, label, found, "unknown")
    return Need(deployment, label, found, "exceeds") if found else None


def _loads_other(before: Deployment, after: Deployment) -> bool:
    return (before.digest, before.program, before.settings) != (
        after.digest,
        after.program,
        after.settings,
    )


def settle(writer: Writer, needs: Sequence[Need], answer: Answer) -> dict[str, Consent]:
    """The consents that an answer gives, by deployment, to be committed with the change.

    Raises:
        ConsentNeeded: the answer does not cover every need; what exceeds is recorded.
    """
    missing = [need for need in needs if not _is_covered(need, answer)]
    if missing:
        record(writer, [need for need in missing if need.kind != "new"], "exceeded")
        raise ConsentNeeded(missing)
    return {need.deployment.name: _consent(need, writer.now, answer) for need in needs}


def _is_covered(need: Need, answer: Answer) -> bool:
    match answer:
        case NotAsked():
            return False
        case YesToAll():
            return True
        case YesTo(_, shown):
            return _was_shown(need, shown)
        case _:
            assert_never(answer)


def _was_shown(need: Need, shown: Sequence[Need]) -> bool:
    """Whether exactly this deployment was shown, with nothing less than what it may do now."""
    return any(
        (each.deployment.name, each.deployment.on) == (need.deployment.name, need.deployment.on)
        and not _loads_other(each.deployment, need.deployment)
        and not growth(each.label.shown, need.label.shown)
        and not growth(each.label.package, need.label.package)
        for each in shown
    )


def record(
    writer: Writer, needs: Sequence[Need], outcome: Outcome, answer: Answer = NOT_ASKED
) -> None:
    """Add to the audit record what was needed and not given."""
    writer.lock.require()
    writer.state.note_consents(
        [
            ConsentRecord(
                outcome,
                need.deployment.name,
                need.deployment.reference,
                _consent(need, writer.now, answer),
            )
            for need in needs
        ]
    )


def _consent(need: Need, now: str, answer: Answer) -> Consent:
    person, how = _who_and_how(answer)
    return Consent(
        at=now,
        person=person,
        how=how,
        digest=need.deployment.digest,
        taxonomy=need.label.taxonomy,
        shown=need.label.shown,
        package=need.label.package,
    )


def _who_and_how(answer: Answer) -> tuple[str, How]:
    match answer:
        case NotAsked():
            return "", ""
        case YesToAll(person):
            return person, "yes"
        case YesTo(person, _):
            return person, "question"
        case _:
            assert_never(answer)
