"""From one committed state to the next: what install, remove, move, set and repair share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.chains.deployment import Deployment
from skep.chains.planning import LeftEntries, LinkedDeployment, Observed, Plan, plan
from skep.hooks.table import HookTarget
from skep.node.converging.executing import Outcome, drop
from skep.node.converging.inspecting import observe
from skep.node.converging.kept_programs import forget_other_copies
from skep.node.converging.services import Services, Writer
from skep.node.looking.locating import Spot, Survey, newly_located, survey
from skep.node.records import Consent, Installed, Measured


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be, and how far the change may go.

    Attributes:
        command: for the journal.
        after: every deployment there is to be.
        must_run: hook targets on which the chain has to run afterwards. On others it may be
            impossible (interface gone, taken by somebody else); then they are left alone.
        also: hook targets to look at although nothing is declared otherwise there.
        anew: what waits on ``must_run`` is bound to what has the name now.
        consents: given for this change, by deployment; others keep the one they have.
        stopping: deployments that stay declared and are not run: nobody can.
        gone: names whose records and maps go, although they are not among the readable ones.
        linked: programs that are linked already, by deployment; ``None`` to open, verify and link
            every package anew.
        left: what settings that lose their value left in maps, by deployment. It is put right
            once: afterwards those entries are the program's own.
    """

    command: str
    after: Sequence[Deployment]
    must_run: Collection[HookTarget] = ()
    also: Collection[HookTarget] = ()
    anew: bool = False
    consents: Mapping[str, Consent] = field(default_factory=dict)
    stopping: Collection[str] = ()
    gone: Collection[str] = ()
    linked: Mapping[str, LinkedDeployment] | None = None
    left: Mapping[str, Sequence[LeftEntries]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change, ready to be carried out.

    Attributes:
        steps: what to do, in order.
        linked: every deployment in a chain that is looked at.
        spots: where the hook targets of the steps are.
    """

    steps: Plan
    linked: tuple[LinkedDeployment, ...]
    spots: Mapping[HookTarget, Spot]


def change_if_needed(writer: Writer, wanted: Change) -> tuple[str, ...]:
    """Prepare and carry out; nothing is written if nothing is to be done.

    Returns:
        A line for each step that was needed, and for what a person should know about it.

    Raises:
        SkepError: as :func:`prepare` and :func:`carry_out`.
    """
    prepared = prepare(writer.services, wanted)
    if not prepared.steps.actions:
        return ()
    outcome = carry_out(writer, wanted, prepared)
    return (*prepared.steps.summary(), *outcome.remarks.values())


def prepare(services: Services, wanted: Change) -> Prepared:
    """Decide what a change takes, by looking; nothing is loaded, nothing changes.

    Raises:
        HookTargetMissing, HookTargetHidden, HookOccupied: a chain cannot run where it must.
        SkepError: anything that opening or linking a member raises.
    """
    installed = services.state.installed()
    before = [one.deployment for one in installed]
    looked = survey(services.kernel, installed)
    targets = _changed_targets(before, wanted.after) | set(wanted.also)
    spots = {on: _spot(services, looked, on, wanted) for on in targets}
    names = {d.name for d in (*before, *wanted.after) if d.on in targets} | set(wanted.gone)
    names -= set(wanted.stopping)

    def observed(linked: Sequence[LinkedDeployment], names: Collection[str]) -> Observed:
        return observe(services.kernel, before, linked, spots, names, looked, wanted.left)

    seen = observed((), ())
    impossible = seen.absent.keys() | seen.foreign.keys() | seen.hidden
    blocked = {on for on in impossible if on not in wanted.must_run}
    # What stays declared where it cannot run keeps its maps; what is removed loses them.
    names -= {d.name for d in wanted.after if d.on in blocked}
    ready = wanted.linked
    linked = tuple(
        services.packages.linked(d) if ready is None else ready[d.name]
        for d in wanted.after
        if d.on in targets and d.on not in blocked and d.name not in wanted.stopping
    )
    wanting = [
        each.wanting([found.restored for found in wanted.left.get(each.deployment.name, ())])
        for each in linked
    ]
    return Prepared(plan(wanting, observed(wanting, names)), linked, spots)


def _spot(services: Services, looked: Survey, on: HookTarget, wanted: Change) -> Spot:
    spot = looked.spots.get(on)
    if spot is None:
        return newly_located(services.kernel, looked, on)
    if wanted.anew and spot.standing == "waiting" and on in wanted.must_run:
        # The link it had stays in view, so that its pin goes once the chain runs elsewhere.
        return replace(newly_located(services.kernel, looked, on), link=spot.link)
    return spot


def carry_out(writer: Writer, wanted: Change, prepared: Prepared) -> Outcome:
    """Do what was prepared, and commit what is wanted, all or nothing.

    Raises:
        SkepError: a member could not be loaded or attached; nothing is changed.
    """
    installed = writer.state.installed()
    history = {one.deployment.name: one for one in installed}
    bound = {one.deployment.on: one.binding for one in installed if one.binding is not None}
    relinked = {one.deployment.name: one.deployment for one in prepared.linked}
    kept = {one.deployment.name: str(writer.kept.keep(one)) for one in prepared.linked}

    def committed(outcome: Outcome) -> tuple[Installed, ...]:
        return tuple(
            _installed(
                relinked.get(d.name, d),
                history.get(d.name) or Installed(d, writer.now, binding=bound.get(d.on)),
                outcome,
                wanted.consents.get(d.name),
                kept.get(d.name),
            )
            for d in wanted.after
        )

    outcome = writer.interpreter.run(
        wanted.command, prepared.steps, prepared.linked, prepared.spots, committed, wanted.gone
    )
    forget_other_copies(writer)
    for link in survey(writer.kernel, writer.state.installed()).strays:
        if not link.is_attached:  # the last chain that was on it has gone
            drop(writer.kernel, link)
    return outcome


def _changed_targets(
    before: Collection[Deployment], after: Collection[Deployment]
) -> set[HookTarget]:
    return {deployment.on for deployment in set(before) ^ set(after)}


def _installed(
    deployment: Deployment,
    before: Installed,
    outcome: Outcome,
    consent: Consent | None,
    kept: str | None,
) -> Installed:
    on = deployment.on
    measured: Measured | None = outcome.measured.get(deployment.name)
    return replace(
        before,
        deployment=deployment,
        measured=measured if measured is not None else before.measured,
        consent=consent if consent is not None else before.consent,
        binding=outcome.bindings.get(on, before.binding),
        kept=kept if kept is not None else before.kept,
    )
