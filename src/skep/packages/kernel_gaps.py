"""What one machine's kernel lacks for a package: its version, its types, its options.

Only a warning: a package is built for many kernels. Nothing is read here; whether a field of a type
is there, only the kernel's types tell, and a build does not look at them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.version_fit import fit_to_version
from skep.hooks.table import HOOKS
from skep.packages.metadata import PackageMetadata
from skep.versions import KernelVersion, MalformedVersion, backporting_vendor

_NOT_FROM_THE_HOOK = "program type SCHED_CLS"  # Skep's way of attaching needs no classifier
_TYPES = "CONFIG_DEBUG_INFO_BTF"


@dataclass(frozen=True, slots=True)
class MachineKernel:
    """The kernel of a machine, as far as it is known without its types.

    Attributes:
        release: as ``uname -r`` has it.
        has_types: it was built with BTF.
        options: its configuration; ``None`` if it does not tell.
    """

    release: str
    has_types: bool
    options: Mapping[str, str] | None = None


def kernel_gaps(
    metadata: PackageMetadata, reports: Mapping[str, AnalysisReport], kernel: MachineKernel
) -> tuple[str, ...]:
    """Why this kernel could not load the programs, one sentence each; empty if it could."""
    try:
        version = KernelVersion.parse(kernel.release)
    except MalformedVersion:
        return ()
    vendor = backporting_vendor(kernel.release)
    found = dict.fromkeys(_hooks(metadata, version) if not vendor else ())
    for report in reports.values():
        found |= dict.fromkeys(_of_report(metadata, report, version, vendor))
        found |= dict.fromkeys(_built_in(report, kernel))
    where = f"this machine (Linux {kernel.release})"
    return tuple(f"{where}: {each}" for each in found)


def _hooks(metadata: PackageMetadata, version: KernelVersion) -> Iterator[str]:
    for program in metadata.programs:
        first = HOOKS[program.hook].first_kernel
        if version < first:
            yield f"the hook {program.hook} needs Linux {first}"


def _of_report(
    metadata: PackageMetadata, report: AnalysisReport, version: KernelVersion, vendor: str
) -> Iterator[str]:
    named = {program.name for program in metadata.programs}
    if report.licence.would_load is False:
        return  # no kernel loads it: told elsewhere
    refused = {refusal.what for refusal in report.requirements.refused}
    for finding in fit_to_version(report, version, vendor=vendor).findings:
        is_here = not finding.program or finding.program in named
        if finding.level == "no" and is_here and not any(each in finding.what for each in refused):
            yield f"{finding.program}: {finding.what}" if finding.program else finding.what


def _built_in(report: AnalysisReport, kernel: MachineKernel) -> Iterator[str]:
    if report.requirements.needs_btf == "yes" and not kernel.has_types:
        yield f"no types of the kernel (BTF), which the programs need: {_TYPES}"
    for need in report.requirements.configuration:
        is_known = kernel.options is not None and need.because != _NOT_FROM_THE_HOOK
        if is_known and need.option != _TYPES and need.option not in (kernel.options or {}):
            yield f"built without {need.option}, which {need.because} needs"
