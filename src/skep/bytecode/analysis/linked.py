"""The node label: what the instructions do that a kernel will be given.

A package has two labels. The *package label* (:func:`skep.bytecode.analysis.analysing.analyse`) is
derived from the object as compiled, and everything a loader may change is unknown to it: it is the
upper bound. The *node label* is derived from the load plan, in which nothing is left to change:
this kernel, these settings. It is what people are shown and asked about, because it is what is
loaded; :mod:`.label_bounds` refuses it where it exceeds the package label.

Frozen read-only data is constant, and code that it switches off is left out, as the kernel's
verifier leaves it out. Everything else in maps stays unknown.
"""

from collections.abc import Mapping
from dataclasses import replace

from skep.bytecode.analysis.analysing import report_of
from skep.bytecode.analysis.assumptions import base_assumptions
from skep.bytecode.analysis.field_names import FieldNames
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.reading_back import ReadBack, read_back
from skep.bytecode.objectfile.model import ObjectFile


def analyse_linked(
    plan: LoadPlan, object_file: ObjectFile, kernel: KernelTypes | None = None
) -> AnalysisReport:
    """The label of what ``plan`` loads.

    Its programs are those of the plan; its requirements are those of the code that is left, and
    say nothing about other kernels.

    Args:
        object_file: that the plan was linked from.
        kernel: types that it was linked against.

    Raises:
        PlanMismatch: the plan contradicts itself, its object or the kernel.
        TooComplex: see :func:`skep.bytecode.analysis.analysing.analyse`.
    """
    found = read_back(plan, object_file, kernel)
    prepared = prepare_linked(found, FieldNames(object_file, is_linked=True))
    return report_of(found.object_file, prepared, has_settings=False)


def prepare_linked(found: ReadBack, fields: FieldNames | None = None) -> Preparation:
    """The programs of a plan, with what it switches off left out.

    Args:
        fields: names of fields by instruction; the plan has none, and its instructions are where
            those of the object are.
    """
    known = replace(
        base_assumptions(found.object_file),
        read_only=frozenset(found.constants),
        constants=found.constants,
        weak=_present(found),
        guarded=frozenset(),  # every question has its answer
    )
    return Preparation(
        found.object_file, found.program_types, data_flow=True, known=known, fields=fields
    )


def _present(found: ReadBack) -> Mapping[str, int]:
    """Addresses of kernel functions: nothing can be read there, and none is zero."""
    return dict.fromkeys(found.addresses, 1)
