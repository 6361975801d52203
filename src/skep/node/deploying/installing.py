"""Installing: a package's program goes on a hook target, with its place and settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from skep.chains.deployment import (
    AttachmentSpec,
    Deployment,
    TrustDecision,
    parse_deployment_name,
)
from skep.chains.ordering import Last, Placement, in_order, place
from skep.digests import Digest
from skep.errors import Conflict, UsageError
from skep.hooks.table import HookTarget
from skep.node.converging.changing import Change, change_with_remarks
from skep.node.converging.consenting import NOT_ASKED, Answer, find_needs, settle
from skep.node.converging.kept_programs import require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Writer
from skep.node.deploying.targeting import declared_target
from skep.node.looking.listing import find_installed
from skep.node.packages import VerifiedPackage
from skep.node.records import Installed
from skep.packages.metadata import ProgramMetadata
from skep.packages.references import Reference

_LAST = Last()


class DeploymentExists(Conflict):
    """There is a deployment of this name already."""


class ProgramAmbiguous(UsageError):
    """The package has several programs for this hook."""


class NoProgramForHook(UsageError):
    """The package has no program for this hook."""


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What was asked for.

    Attributes:
        reference: of a package that was pulled.
        on: where it is to run.
        name: of the deployment; ``None`` for the package's own name.
        program: function name; ``None`` if the package has one program for the hook.
        digest: of the package's manifest if it is known, for example from a preview; then
            nothing else is installed, wherever a tag points by now.
        placement: where in the chain.
        settings: names and texts; what is not here has the package's default.
        policy: the owner's choice. ``insecure-accept-all`` accepts an unsigned package.
        answer: what was agreed to; see :mod:`skep.node.converging.consenting`.
    """

    reference: Reference
    on: HookTarget
    name: str | None = None
    program: str | None = None
    digest: Digest | None = None
    placement: Placement = _LAST
    settings: Mapping[str, str] = field(default_factory=dict)
    policy: TrustDecision = "require-key"
    answer: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True)
class InstallReport:
    """Outcome of an install.

    Attributes:
        installed: the new deployment.
        package: what was opened and verified for it.
        chain: names of the deployments on the hook target, in order.
        remark: what a person should know about how the chain was attached; empty if all is as
            usual, or if it was attached already.
    """

    installed: Installed
    package: VerifiedPackage
    chain: tuple[str, ...]
    remark: str = ""


def install(writer: Writer, asked: InstallRequest) -> InstallReport:
    """Verify, compose and attach.

    Raises:
        DeploymentExists: the name is taken.
        HookTargetMissing, HookTargetHidden, HookOccupied, NameMoved: it cannot run there.
        ConsentNeeded: consent is missing for it, or for another program on the hook target.
        SkepError: opening, linking or loading failed; nothing is changed.
    """
    package = writer.packages.open(asked.reference, asked.digest, asked.policy)
    before = writer.state.installed()
    current = [one.deployment for one in before]
    on = declared_target(writer.services, before, asked.on)
    require_readable(writer, on)
    require_maps_in_use(writer, on)
    newcomer = declare(package, replace(asked, on=on), current)
    after = place(current, newcomer, asked.placement)
    consents = settle(writer, find_needs(writer.services, after, on), asked.answer)
    command = f"install {asked.reference} on {on} as {newcomer.name}"
    wanted = Change(command, after, must_run={on}, anew=True, consents=consents)
    installed, remarks = change_with_remarks(writer, wanted)
    return InstallReport(
        installed=find_installed(installed, newcomer.name),
        package=package,
        chain=tuple(one.name for one in in_order((i.deployment for i in installed), on)),
        remark=remarks.get(on, ""),
    )


def declare(
    package: VerifiedPackage, request: InstallRequest, current: list[Deployment]
) -> Deployment:
    """The deployment a request asks for; not yet placed.

    Raises:
        DeploymentExists: the name is taken.
        BadDeploymentName: the name cannot be one.
        NoProgramForHook, ProgramAmbiguous, UnknownProgram: which program is meant is not clear.
    """
    name = parse_deployment_name(request.name or _default_name(request.reference))
    for deployment in current:
        if deployment.name == name:
            raise DeploymentExists(
                f"there is a deployment {name!r} already, on {deployment.on}",
                hint="choose another name with --name, or remove that one first",
            )
    program = _choose(package, request)
    return Deployment(
        name=name,
        reference=str(request.reference),
        digest=str(package.digest),
        attachments=(AttachmentSpec(program.name, request.on),),
        order=0,
        run_on=program.run_on,
        settings=tuple(sorted(request.settings.items())),
        policy=request.policy,
        signer=package.evidence.fingerprint,
    )


def _default_name(reference: Reference) -> str:
    # Package names may have dots, directories in bpffs may not.
    return reference.name.replace(".", "-")


def _choose(package: VerifiedPackage, request: InstallRequest) -> ProgramMetadata:
    metadata = package.content.metadata
    if request.program is not None:
        return metadata.program(request.program)
    fitting = [program for program in metadata.programs if program.hook == request.on.hook]
    if not fitting:
        hooks = ", ".join(sorted({program.hook for program in metadata.programs}))
        raise NoProgramForHook(
            f"{metadata.name} has no program for {request.on.hook}", hint=f"it is for: {hooks}"
        )
    if len(fitting) > 1:
        raise ProgramAmbiguous(
            f"{metadata.name} has {len(fitting)} programs for {request.on.hook}",
            hint=f"choose one with --program: {', '.join(program.name for program in fitting)}",
        )
    return fitting[0]
