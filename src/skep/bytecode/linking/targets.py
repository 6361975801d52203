"""Hook targets that are looked up in the types of the kernel.

Source: ``libbpf_find_attach_btf_id`` in tools/lib/bpf/libbpf.c of Linux 6.18.
"""

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.objectfile.model import ProgramSpec
from skep.bytecode.objectfile.sections import BtfTarget

_KINDS = {"FUNC": Kind.FUNC, "TYPEDEF": Kind.TYPEDEF}


def target_id(spec: ProgramSpec, target: BtfTarget, kernel: KernelTypes) -> int:
    """Id of the type that ``spec`` is attached to.

    Raises:
        CannotLink: this kernel has no such target, or it is not in the kernel itself.
    """
    if target.place == "program":
        raise CannotLink(
            f"program {spec.name}: it replaces a function of another program, which cannot be "
            "linked yet"
        )
    if not spec.target or spec.target.startswith("/"):
        raise CannotLink(
            f"program {spec.name}: section {spec.section!r} does not say what it is attached to",
            hint="write the target into the section's name, such as fentry/do_unlinkat",
        )
    name = spec.target
    if ":" in name:
        raise CannotLink(
            f"program {spec.name}: {name} is in a module of the kernel, which cannot be looked "
            "up yet"
        )
    found = kernel.find(target.prefix + name, _KINDS[target.kind])
    if not found:
        raise CannotLink(
            f"program {spec.name}: this kernel has no {target.prefix}{name} to attach to",
            hint="it may be missing in this version or configuration",
        )
    return found[0]
