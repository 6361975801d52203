"""Installing: a package's program goes on a hook target, with its place and settings."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.chains.deployment import (
    AttachmentSpec,
    Deployment,
    TrustDecision,
    default_deployment_name,
    parse_deployment_name,
)
from skep.chains.ordering import After, At, Before, Last, Placement, place
from skep.digests import Digest
from skep.errors import Conflict, UsageError
from skep.hooks.table import HookTarget
from skep.node.converging.changing import Change
from skep.node.converging.consenting import NOT_ASKED, Answer
from skep.node.converging.kept_programs import require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Services, Writer
from skep.node.deploying.applying import Changed, Desired, apply
from skep.node.deploying.moving import placed
from skep.node.deploying.targeting import declared_target
from skep.node.deploying.undoing import set_words
from skep.node.packages import VerifiedPackage
from skep.packages.metadata import PackageMetadata, ProgramMetadata
from skep.packages.references import Reference, parse_reference
from skep.packages.settings import parse_setting

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


def desired_install(services: Services, asked: InstallRequest) -> Desired:
    """The node with one more deployment; what is installed just so already changes nothing.

    Raises:
        DeploymentExists: the name is taken, by something else than what is asked for.
        HookTargetMissing, HookTargetHidden, HookOccupied, NameMoved: it cannot run there.
        SkepError: opening or linking failed.
    """
    return desired_deployment(
        services, asked, services.packages.open(asked.reference, asked.digest, asked.policy)
    )


def desired_deployment(
    services: Services, asked: InstallRequest, package: VerifiedPackage
) -> Desired:
    """As :func:`desired_install`, of a package that was opened and verified."""
    before = services.state.installed()
    current = [one.deployment for one in before]
    on = declared_target(services, before, asked.on)
    require_readable(services, on)
    require_maps_in_use(services, on)
    newcomer = declare(package, replace(asked, on=on))
    after = _with(current, newcomer, asked.placement, package.content.metadata)
    command = f"install {asked.reference} on {on} as {newcomer.name}"
    # Looked at even if it is declared already: installing again repairs what does not run.
    wanted = Change(command, after, must_run={on}, also={on}, anew=True)
    return Desired(wanted, newcomer.name, on)


def install(writer: Writer, asked: InstallRequest) -> Changed:
    """Verify, compose and attach.

    Raises:
        ConsentNeeded: nobody agreed to what it may do, or what another one on the hook target may.
        SkepError: as :func:`desired_install`, or loading failed; nothing is changed.
    """
    return apply(writer, desired_install(writer.services, asked), asked.answer)


def check_request(services: Services, asked: InstallRequest) -> None:
    """What can be refused before a package is obtained: name, hook target and place.

    Raises:
        BadDeploymentName, DeploymentExists: the name cannot be one, or is taken.
        HookTargetMissing, HookTargetHidden, HookOccupied, NameMoved: nothing can run there.
        NoSuchNeighbour: there is no such place.
    """
    name = deployment_name(asked)
    before = services.state.installed()
    current = [one.deployment for one in before]
    on = declared_target(services, before, asked.on)
    known = next((each for each in current if each.name == name), None)
    if known is not None and not _may_be(known, replace(asked, on=on)):
        raise DeploymentExists(_taken(known), hint=_TAKEN_HINT)
    blank = Deployment(name, "", "", (AttachmentSpec("", on),), 0, ())
    place(current, blank, asked.placement)


def check_package(metadata: PackageMetadata, asked: InstallRequest) -> None:
    """What can be refused once a package says what it has: program and settings.

    Nothing is believed yet: this spares a person trouble, and decides nothing else.

    Raises:
        NoProgramForHook, ProgramAmbiguous, UnknownProgram: which program is meant is not clear.
        UnknownSetting, WrongSetting: it has no such setting, or the text is no value of it.
    """
    _choose(metadata, asked)
    for name, text in asked.settings.items():
        parse_setting(metadata.setting(name), text)


def deployment_name(asked: InstallRequest) -> str:
    """What the deployment is to be called.

    Raises:
        BadDeploymentName: the name cannot be one.
    """
    return parse_deployment_name(asked.name or default_deployment_name(asked.reference.name))


def declare(package: VerifiedPackage, request: InstallRequest) -> Deployment:
    """The deployment a request asks for; not yet placed.

    Raises:
        BadDeploymentName: the name cannot be one.
        NoProgramForHook, ProgramAmbiguous, UnknownProgram: which program is meant is not clear.
    """
    program = _choose(package.content.metadata, request)
    return Deployment(
        name=deployment_name(request),
        reference=str(request.reference),
        digest=str(package.digest),
        attachments=(AttachmentSpec(program.name, request.on),),
        order=0,
        run_on=program.run_on,
        settings=tuple(sorted(request.settings.items())),
        policy=request.policy,
        signer=package.evidence.fingerprint,
    )


def _with(
    current: Sequence[Deployment],
    newcomer: Deployment,
    placement: Placement,
    metadata: PackageMetadata,
) -> Sequence[Deployment]:
    known = next((each for each in current if each.name == newcomer.name), None)
    if known is None:
        return place(current, newcomer, placement)
    if _what(known) != _what(newcomer):
        raise DeploymentExists(_taken(known), hint=_TAKEN_HINT)
    there = metadata.values_in_force(dict(known.settings))
    wanted = metadata.values_in_force(dict(newcomer.settings))
    if there == wanted:
        # Without a place, any will do.
        after = current if isinstance(placement, Last) else placed(current, known, placement)
        if {*after} == {*current}:
            return current
        raise DeploymentExists(
            f"{_taken(known)}, at another place",
            hint=shlex.join(["skep", "move", known.name, *_place_words(placement)]),
        )
    different = [name for name in wanted if there[name] != wanted[name]]
    raise DeploymentExists(
        f"{_taken(known)}, with other settings",
        hint=shlex.join(set_words(known.name, different, dict(newcomer.settings))),
    )


def _place_words(placement: Placement) -> list[str]:
    match placement:
        case Before(name):
            return ["--before", name]
        case After(name):
            return ["--after", name]
        case At(order):
            return ["--order", str(order)]
        case Last():
            return []


def _what(deployment: Deployment) -> tuple[object, ...]:
    """What was asked for, wherever it was pulled from; settings and place apart."""
    return (
        deployment.digest,
        deployment.program,
        deployment.on,
        deployment.run_on,
        deployment.policy,
        parse_reference(deployment.reference).package,
    )


def _may_be(known: Deployment, asked: InstallRequest) -> bool:
    """Whether a deployment may turn out to be what is asked for, once the package is known."""
    reference = parse_reference(known.reference)
    return (
        reference.package == asked.reference.package
        and asked.reference.version in (None, reference.version)
        and str(asked.digest or asked.reference.digest or known.digest) == known.digest
        and asked.program in (None, known.program)
        and known.on == asked.on
        and known.policy == asked.policy
    )


_TAKEN_HINT = "choose another name with --name, or remove that one first"


def _taken(known: Deployment) -> str:
    return f"a deployment {known.name!r} already exists, on {known.on}"


def _choose(metadata: PackageMetadata, request: InstallRequest) -> ProgramMetadata:
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
