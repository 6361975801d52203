"""What an object asks of the kernel it is linked for, before anything is looked up.

Types of a kernel cost megabytes and time; most objects can do without.
"""

from skep.bytecode.linking.core.fixed import first_to_apply
from skep.bytecode.linking.layout import needed_functions
from skep.bytecode.objectfile.exception_callbacks import exception_callbacks
from skep.bytecode.objectfile.model import Extern, ObjectFile
from skep.bytecode.objectfile.sections import classify


def needs_kernel_types(object_file: ObjectFile, program: str) -> bool:
    """Whether ``program`` can be linked only with the types of a kernel.

    Args:
        program: name of a program of the object.
    """
    functions = {function.name: function for function in object_file.functions}
    needed = {function.name for function in needed_functions(program, functions)}
    spec = next(each for each in object_file.programs if each.name == program)
    return (
        first_to_apply(object_file, needed) is not None
        or bool(used_externs(object_file, program))
        or classify(spec.section).btf_target is not None
    )


def used_externs(object_file: ObjectFile, program: str) -> tuple[Extern, ...]:
    """Names of the kernel that the functions of ``program`` use, in the object's order."""
    functions = {function.name: function for function in object_file.functions}
    callbacks = exception_callbacks(object_file)
    used = {
        relocation.name
        for function in needed_functions(program, functions, callbacks)
        for relocation in function.relocations
        if relocation.kind in ("extern_call", "extern_address")
    }
    return tuple(each for each in object_file.extern_details if each.name in used)
