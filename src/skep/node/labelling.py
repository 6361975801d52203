"""Labels of what a node is about to load.

A program is loaded only if its node label lies within its package label; see
:mod:`skep.bytecode.analysis.linked`. That is checked wherever a program is linked, whoever asks:
an install, a setting that changes, a start after a reboot under a newer kernel.
"""

from collections.abc import Mapping
from functools import lru_cache

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.label_bounds import check_within
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object

_KEPT = 8  # objects: one command asks for the same label several times


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
    plan: LoadPlan,
    object_file: ObjectFile,
    kernel: KernelTypes | None,
    package: AnalysisReport,
) -> AnalysisReport:
    """The label of what ``plan`` loads.

    Args:
        object_file: that the plan was linked from.
        kernel: types that it was linked against.
        package: label of the object.

    Raises:
        OutsideLabel: it exceeds the package label.
        PlanMismatch: the plan contradicts itself, its object or the kernel.
    """
    label = analyse_linked(plan, object_file, kernel)
    check_within(package, label)
    return label
