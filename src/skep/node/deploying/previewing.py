"""Previewing: what is shown before anything is loaded.

Everything a person needs to decide is derived here, from bytes that were hashed and a signature
that was checked. What the program may do is told of the very instructions that will be loaded. The
report inside the package is only compared with what is derived: where they differ, what is shown
is still what the bytecode says.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from skep.bytecode.analysis.label import Label, label_of
from skep.bytecode.analysis.label_bounds import LabelChange, label_changes
from skep.bytecode.analysis.report import AnalysisReport
from skep.chains.planning import LinkedDeployment
from skep.hooks.table import HookTarget, find_hook
from skep.json_documents import parse_json
from skep.node.converging.consenting import Need
from skep.node.converging.services import Services
from skep.node.deploying.applying import ChangePlan, foresee
from skep.node.deploying.installing import InstallRequest, desired_deployment
from skep.node.labels import package_labels
from skep.node.looking.listing import view_chain
from skep.node.occupants import Occupant
from skep.node.packages import VerifiedPackage
from skep.node.ports import KernelFacts
from skep.packages.content import REPORT_TITLE, PackageContent
from skep.versions import KernelVersion


class TrustedSince(Protocol):
    """Tells since when a key has been trusted."""

    def trusted_since(self, publisher: str, fingerprint: str) -> datetime | None:
        """When it was put here; ``None`` if it is not trusted."""
        ...


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """A member of the chain as it would be."""

    name: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class PreviewSetting:
    """A setting and the value it would have.

    Attributes:
        text: as it would be; empty if nothing is written.
        is_default: it was not set.
    """

    name: str
    text: str
    is_default: bool
    help: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an install prompt shows.

    Attributes:
        package: verified, or accepted without a signature: see ``package.evidence``.
        name: of the deployment.
        program: function name.
        on: hook target.
        trusted_since: since when the signing key has been trusted; ``None`` if nothing was
            checked.
        reports: node labels by object file name: what is loaded here, with these settings.
        label_changes: what linking changed.
        report_matches: the report in the package says what the package labels say.
        oldest_kernel: what the objects need.
        kernel: this node's.
        label: of what is loaded here, as it is shown.
        settings: each of the package's.
        chain: members after installing, in order.
        occupants: programs that are on the hook now, in order, whoever attached them.
        plan: what would be done, and what consent is needed for.
        own_maps: maps that the object wants to share by name; here each deployment has its own.
    """

    package: VerifiedPackage
    name: str
    program: str
    on: HookTarget
    trusted_since: datetime | None
    reports: dict[str, AnalysisReport]
    label_changes: tuple[LabelChange, ...]
    report_matches: bool
    oldest_kernel: KernelVersion
    kernel: KernelFacts
    label: Label
    settings: tuple[PreviewSetting, ...]
    chain: tuple[ChainPlace, ...]
    plan: ChangePlan
    own_maps: tuple[str, ...] = ()
    occupants: tuple[Occupant, ...] = ()

    @property
    def needs(self) -> tuple[Need, ...]:
        """What consent is needed for: the newcomer, and members whose label exceeds theirs."""
        return self.plan.needs

    @property
    def accepts_unsigned(self) -> bool:
        """No signature was checked, as the owner allowed."""
        return self.package.evidence.kind == "insecure"

    @property
    def kernel_suffices(self) -> bool:
        """This node's kernel is not too old, as far as can be derived."""
        return self.kernel.version >= self.oldest_kernel


def preview(services: Services, trust: TrustedSince, request: InstallRequest) -> Preview:
    """Derive what would be shown and what would happen; nothing is loaded, nothing changes.

    Raises:
        HookTargetMissing, HookOccupied: it could not run there.
        SkepError: as :func:`skep.node.deploying.installing.install`, save for what only loading
            can tell.
    """
    package = services.packages.open(request.reference, request.digest, request.policy)
    plan = foresee(services, desired_deployment(services, request, package))
    newcomer = plan.deployment
    on = newcomer.on
    (linked,) = (one for one in plan.prepared.linked if one.deployment.name == newcomer.name)
    content = package.content
    packaged = package_labels(content)
    reports = _loaded(packaged, linked)
    hook = find_hook(on.hook)
    needs = [KernelVersion.parse(r.requirements.oldest_kernel) for r in packaged.values()]
    return Preview(
        package=package,
        name=newcomer.name,
        program=newcomer.program,
        on=on,
        trusted_since=trust.trusted_since(
            request.reference.publisher, package.evidence.fingerprint
        ),
        reports=reports,
        label_changes=tuple(
            change
            for name, report in reports.items()
            for change in label_changes(packaged[name], report)
        ),
        report_matches=_matches(content, packaged),
        oldest_kernel=max([hook.first_kernel, *needs]),
        kernel=services.kernel.facts(),
        label=label_of(reports),
        settings=_settings(content, request),
        chain=tuple(ChainPlace(name, name == newcomer.name) for name in plan.chain),
        plan=plan,
        own_maps=tuple(each.name for each in linked.maps if each.pinned_by_name),
        occupants=view_chain(services.state, services.kernel, on).occupants or (),
    )


def _loaded(
    packaged: dict[str, AnalysisReport], linked: LinkedDeployment
) -> dict[str, AnalysisReport]:
    """The label of what is loaded, under the name of its object."""
    program, label = linked.deployment.program, linked.label
    for name, report in packaged.items():
        if label is not None and any(each.name == program for each in report.programs):
            return {name: label}
    return packaged  # nobody derived another


def _matches(content: PackageContent, reports: dict[str, AnalysisReport]) -> bool:
    derived = {name: report.to_document() for name, report in reports.items()}
    return parse_json(content.report, REPORT_TITLE) == derived


def _settings(content: PackageContent, request: InstallRequest) -> tuple[PreviewSetting, ...]:
    return tuple(
        PreviewSetting(
            name=spec.name,
            text=request.settings.get(spec.name, spec.default or ""),
            is_default=spec.name not in request.settings,
            help=spec.help,
        )
        for spec in content.metadata.settings
    )
