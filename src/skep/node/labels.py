"""Labels of what a node is about to load: derived now from the bytes at hand.

This is the one place that decides what is shown, agreed to and compared. A program is loaded only
if its node label lies within its package label; see :mod:`skep.bytecode.analysis.linked`. That is
checked wherever a program is linked, whoever asks: an install, a setting that changes, a start
after a reboot under a newer kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.growth import Granted
from skep.bytecode.analysis.label import label_of
from skep.bytecode.analysis.label_bounds import within
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.objectfile.reading import read_object
from skep.packages.content import PackageContent
from skep.packages.made_costs import as_made

_KEPT = 8  # objects or plans: one command asks for the same label several times


def package_label(data: bytes, program_types: Mapping[str, str]) -> AnalysisReport:
    """The label of an object as compiled, whatever kernel and settings.

    Args:
        data: the object file, hashed.
        program_types: by function, as the package's metadata states them.
    """
    return _package_label(data, tuple(sorted(program_types.items())))


@lru_cache(maxsize=_KEPT)
def _package_label(data: bytes, program_types: tuple[tuple[str, str], ...]) -> AnalysisReport:
    return analyse(read_object(data), program_types=dict(program_types))


def node_label(
    plan: LoadPlan, data: bytes, kernel: KernelTypes | None, package: AnalysisReport
) -> AnalysisReport:
    """The label of what ``plan`` loads.

    Args:
        data: the object file that the plan was linked from, hashed.
        kernel: types that it was linked against.
        package: label of the object.

    Raises:
        OutsideLabel: it exceeds the package label.
        PlanMismatch: the plan contradicts itself, its object or the kernel.
    """
    return within(package, _node_label(plan, data, kernel))


@lru_cache(maxsize=_KEPT)
def _node_label(plan: LoadPlan, data: bytes, kernel: KernelTypes | None) -> AnalysisReport:
    # Of every instruction that is about to be loaded: another plan has another label.
    return analyse_linked(plan, read_object(data), kernel)


def package_labels(content: PackageContent) -> dict[str, AnalysisReport]:
    """Labels of a package's objects as compiled, by file name.

    Raises:
        MalformedObject: an object is none.
    """
    types = content.metadata.program_types
    return {
        name: as_made(package_label(data, types), content.metadata)
        for name, data in sorted(content.objects.items())
    }


@dataclass(frozen=True, slots=True)
class ConsentLabel:
    """What consent to a deployment is about: its label, in the short form that is stored.

    Attributes:
        taxonomy: version of the permissions table.
        shown: of what would be loaded: this kernel, these settings. What people agree to.
        package: of the package as compiled, whatever a loader may change; ``shown`` lies within.
    """

    taxonomy: int
    shown: tuple[Granted, ...]
    package: tuple[Granted, ...]


def consent_label(
    packaged: Mapping[str, AnalysisReport], loaded: AnalysisReport | None = None
) -> ConsentLabel:
    """The label of a deployment, as consent is asked for and compared.

    Args:
        packaged: labels of its package's objects.
        loaded: label of what would be loaded; the packaged one if none was derived.
    """
    package = label_of(packaged)
    shown = package if loaded is None else label_of({"": loaded})
    return ConsentLabel(taxonomy=package.taxonomy, shown=shown.granted, package=package.granted)
