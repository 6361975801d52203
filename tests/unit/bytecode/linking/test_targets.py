"""Hook targets in the kernel's types."""

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.targets import target_id
from skep.bytecode.objectfile.model import ProgramSpec
from skep.bytecode.objectfile.sections import classify


def kernel() -> KernelTypes:
    builder = BtfBuilder()
    for name in ("do_unlinkat", "bpf_lsm_file_open", "bpf_iter_task"):
        builder.function(name)
    builder.modifier(Kind.TYPEDEF, builder.pointer(0), "btf_trace_sched_switch")
    builder.modifier(Kind.TYPEDEF, builder.pointer(0), "do_exit")  # a type, not a function
    return KernelTypes.build(builder.build())


KERNEL = kernel()


def found(section: str, target: str) -> int:
    facts = classify(section)
    assert facts.btf_target is not None
    spec = ProgramSpec("prog", section, facts.program_type, target=target)
    return target_id(spec, facts.btf_target, KERNEL)


@pytest.mark.parametrize(
    ("section", "target", "name", "kind"),
    [
        ("fentry/do_unlinkat", "do_unlinkat", "do_unlinkat", Kind.FUNC),
        ("fexit.s/do_unlinkat", "do_unlinkat", "do_unlinkat", Kind.FUNC),
        ("lsm/file_open", "file_open", "bpf_lsm_file_open", Kind.FUNC),
        ("iter/task", "task", "bpf_iter_task", Kind.FUNC),
        ("tp_btf/sched_switch", "sched_switch", "btf_trace_sched_switch", Kind.TYPEDEF),
    ],
)
def test_a_target_is_found_by_its_name_in_the_kernel(
    section: str, target: str, name: str, kind: Kind
) -> None:
    assert found(section, target) == KERNEL.find(name, kind)[0]


@pytest.mark.parametrize(
    ("section", "target", "reason"),
    [
        pytest.param("fentry/never_there", "never_there", "no never_there to attach", id="missing"),
        pytest.param("fentry/do_exit", "do_exit", "no do_exit to attach", id="of-another-kind"),
        pytest.param("lsm/do_unlinkat", "do_unlinkat", "bpf_lsm_do_unlinkat", id="no-lsm-hook"),
        pytest.param("fentry/ext4:f", "ext4:f", "in a module", id="module"),
        pytest.param("fentry", "", "does not say", id="without-target"),
        pytest.param("fentry//x", "/x", "does not say", id="slash"),
        pytest.param("freplace/f", "f", "another program", id="freplace"),
    ],
)
def test_other_targets_are_refused_by_name(section: str, target: str, reason: str) -> None:
    with pytest.raises(CannotLink, match=reason) as caught:
        found(section, target)
    assert "program prog" in caught.value.message
