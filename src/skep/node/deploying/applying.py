"""Applying: what shall be declared becomes what runs, for install, remove, set and move alike.

What somebody asks for is made a value first (:class:`Desired`), by looking alone. :func:`foresee`
gives the plan for it: what would change, what needs consent, what reverses it. A dry run shows
that plan, and :func:`execute` carries it out: so what was shown is what is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from skep.chains.deployment import Deployment
from skep.chains.ordering import in_order
from skep.hooks.table import HookTarget
from skep.node.converging.changing import Change, Prepared, carry_out, prepare
from skep.node.converging.consenting import NOT_ASKED, Answer, Need, find_needs, settle
from skep.node.converging.services import Services, Writer
from skep.node.deploying.undoing import undo_commands
from skep.node.looking.listing import find_installed
from skep.node.records import Consent, Installed


@dataclass(frozen=True, slots=True)
class Desired:
    """What shall be declared after a change.

    Attributes:
        change: every deployment there is to be, and how far the change may go.
        subject: name of the deployment it is about; empty if it is about several.
        on: hook target whose chain needs consent to be loaded; ``None`` if taking away is all that
            is done, which needs none.
    """

    change: Change
    subject: str = ""
    on: HookTarget | None = None


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change would do; decided by looking, and good for as long as nothing else changes.

    Attributes:
        desired: what it is the plan for.
        before: what was committed when it was made.
        prepared: the steps.
        needs: what consent is needed for.
        undo: commands that reverse it, to be typed in this order; none if no command does.
    """

    desired: Desired
    before: tuple[Installed, ...]
    prepared: Prepared
    needs: tuple[Need, ...]
    undo: tuple[str, ...]

    @property
    def is_unchanged(self) -> bool:
        """Everything is declared so already, and runs so."""
        change = self.desired.change
        declared = {one.deployment for one in self.before}
        return not (self.prepared.steps.actions or change.gone) and declared == {*change.after}

    @property
    def steps(self) -> tuple[str, ...]:
        """A line for each thing that would be done in the kernel."""
        return self.prepared.steps.summary()

    @property
    def deployment(self) -> Deployment:
        """The subject, as it would be."""
        (found,) = (d for d in self.desired.change.after if d.name == self.desired.subject)
        return found

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the deployments that would be on the subject's hook target, in order."""
        on = self.deployment.on
        return tuple(each.name for each in in_order(self.desired.change.after, on))


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of a change of one deployment, or would.

    Attributes:
        plan: what was carried out, or would be.
        installed: the deployment as committed; ``None`` if the plan was only shown.
        remark: what a person should know about how its chain was attached; empty if all is as
            usual, or if it was attached already.
    """

    plan: ChangePlan
    installed: Installed | None = None
    remark: str = ""

    @property
    def deployment(self) -> Deployment:
        """As it is now, or would be."""
        return self.plan.deployment if self.installed is None else self.installed.deployment

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the deployments on its hook target, in order."""
        return self.plan.chain

    @property
    def consent(self) -> Consent | None:
        """What was agreed to."""
        return None if self.installed is None else self.installed.consent

    @property
    def is_dry_run(self) -> bool:
        """The plan was only shown."""
        return self.installed is None

    @property
    def is_unchanged(self) -> bool:
        """Everything was so already; nothing was loaded or written."""
        return self.plan.is_unchanged


def foresee(services: Services, desired: Desired) -> ChangePlan:
    """The plan for what is desired; nothing is loaded, nothing changes.

    Raises:
        HookTargetMissing, HookTargetHidden, HookOccupied: a chain cannot run where it must.
        SkepError: anything that opening, verifying or linking a member raises.
    """
    change = desired.change
    before = services.state.installed()
    prepared = prepare(services, change)
    undo = undo_commands(
        [one.deployment for one in before],
        change.after,
        subject=desired.subject,
        here=services.kernel.here(),
        spots=prepared.spots,
    )
    plan = ChangePlan(desired, before, prepared, (), undo)
    if desired.on is None or plan.is_unchanged:
        return plan
    return replace(plan, needs=find_needs(services, change.after, desired.on))


def execute(
    writer: Writer, plan: ChangePlan, answer: Answer = NOT_ASKED
) -> tuple[tuple[Installed, ...], Mapping[HookTarget, str]]:
    """Carry a plan out, all or nothing; if everything is so already, nothing is touched.

    Returns:
        The committed state, and what a person should know about how chains were attached.

    Raises:
        ConsentNeeded: the answer does not cover every need.
        SkepError: a member could not be loaded or attached; nothing is changed.
    """
    if plan.is_unchanged:
        return plan.before, {}
    consents = settle(writer, plan.needs, answer)
    wanted = replace(plan.desired.change, consents=consents)
    outcome = carry_out(writer, wanted, plan.prepared)
    return writer.state.installed(), outcome.remarks


def apply(writer: Writer, desired: Desired, answer: Answer = NOT_ASKED) -> Changed:
    """Plan what is desired of one deployment, and carry it out.

    Raises:
        SkepError: as :func:`foresee` and :func:`execute`.
    """
    plan = foresee(writer.services, desired)
    installed, remarks = execute(writer, plan, answer)
    found = find_installed(installed, desired.subject)
    return Changed(plan, found, remarks.get(found.deployment.on, ""))
