"""What a hook is: a place in the kernel where programs can be attached, and its verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.hooks.target import TargetGrammar
from skep.versions import KernelVersion


@dataclass(frozen=True, slots=True)
class Hook:
    """One kind of attach point.

    Attributes:
        name: what people type before the colon.
        program_type: kernel name without prefix.
        program_type_id: ``BPF_PROG_TYPE_*``.
        attach_type: kernel name without prefix, of programs and of links.
        attach_type_id: ``BPF_*`` of ``enum bpf_attach_type``.
        way: how programs get there: the name of a driver in ``skep.kernel.attaching``.
        target: how people write what follows the colon.
        verdicts: return codes by the name an author writes in ``run_on``, lower case.
        default_run_on: verdict names that go on to the next program if the author says nothing.
        first_kernel: oldest kernel on which Skep's way of attaching (a bpf link) works here.
        summary: one line for people.
    """

    name: str
    program_type: str
    program_type_id: int
    attach_type: str
    attach_type_id: int
    way: str
    target: TargetGrammar
    verdicts: Mapping[str, int]
    default_run_on: tuple[str, ...]
    first_kernel: KernelVersion
    summary: str
