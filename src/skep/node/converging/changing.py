"""From one committed state to the next: what install, remove, move and set have in common."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from skep.chains.deployment import Deployment
from skep.chains.planning import plan
from skep.hooks.table import HookTarget
from skep.node.converging.inspecting import observe
from skep.node.converging.services import Services
from skep.node.records import Consent, Installed, Measured

_NONE: Mapping[str, Consent] = MappingProxyType({})


def change(
    services: Services,
    command: str,
    after: Sequence[Deployment],
    *,
    must_run: Collection[HookTarget] = (),
    consents: Mapping[str, Consent] = _NONE,
) -> tuple[Installed, ...]:
    """Make ``after`` the declared deployments, and what runs on the hook targets that differ.

    Args:
        command: for the journal.
        after: every deployment there is to be.
        must_run: hook targets on which the chain has to run afterwards. On others it may be
            impossible (interface gone, taken by somebody else); then they are left alone.
        consents: given for this change, by deployment; others keep the one they have.

    Returns:
        The committed state.

    Raises:
        HookTargetMissing, HookOccupied: a chain cannot run where it must.
        SkepError: anything that opening, linking or loading a member raises; nothing is changed.
    """
    installed = services.state.installed()
    before = [one.deployment for one in installed]
    targets = _changed_targets(before, after)
    names = {d.name for d in (*before, *after) if d.on in targets}
    looked = observe(services.kernel, before, (), targets, ())
    blocked = {on for on in (looked.absent | looked.foreign.keys()) if on not in must_run}
    # What stays declared where it cannot run keeps its maps; what is removed loses them.
    names -= {d.name for d in after if d.on in blocked}
    linked = tuple(
        services.packages.linked(d) for d in after if d.on in targets and d.on not in blocked
    )
    observed = observe(services.kernel, before, linked, targets, names)
    steps = plan(linked, observed)
    relinked = {one.deployment.name: one.deployment for one in linked}
    history = {one.deployment.name: one for one in installed}

    def committed(measured: Mapping[str, Measured]) -> tuple[Installed, ...]:
        return tuple(
            _installed(
                relinked.get(d.name, d),
                history.get(d.name),
                measured,
                consents.get(d.name),
                services.now,
            )
            for d in after
        )

    services.interpreter.run(command, steps, linked, committed)
    return services.state.installed()


def _changed_targets(
    before: Collection[Deployment], after: Collection[Deployment]
) -> set[HookTarget]:
    return {deployment.on for deployment in set(before) ^ set(after)}


def _installed(
    deployment: Deployment,
    before: Installed | None,
    measured: Mapping[str, Measured],
    consent: Consent | None,
    now: str,
) -> Installed:
    fresh = Installed(deployment, now, consent=consent)
    if before is not None:
        consent = consent or before.consent
        fresh = Installed(deployment, before.installed_at, before.measured, consent)
    known = measured.get(deployment.name)
    return replace(fresh, measured=known) if known is not None else fresh
