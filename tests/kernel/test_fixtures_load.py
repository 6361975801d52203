"""Every program of every fixture, and every bundled one, is loaded by our own loader.

A program that is not loaded has one of these excuses, and an excuse that does not hold fails too:

* the kernel has no trampolines to give (lockdown, another policy): asked of it with a program that
  does nothing;
* the kernel has no function or hook target of that name in its types;
* the kernel was built without the program type, or keeps the helper from it: asked in the same way;
* two program types are not linked yet;
* the fixture is made to be refused: :data:`MADE_TO_FAIL` says what for.
"""

import errno
import re
from functools import cache

import pytest
from tests.builders.compiled import PROGRAMS, bundled_object
from tests.builders.kernels import running_types
from tests.builders.loaded_objects import execute
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, MAP_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan, ProgramPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import ObjectFile, ProgramSpec
from skep.bytecode.objectfile.reading import read_object
from skep.errors import SkepError
from skep.kernel.configuration import kernel_configuration, kernel_version_code
from skep.kernel.errors import KernelRefused, LacksPrivilege, VerifierRefused
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.loading import load_program
from skep.kernel.probes import possible_cpus
from skep.kernel.syscall import BpfError

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

NAMES = sorted(path.stem for path in DIRECTORY.glob("*.o"))
BUNDLED = sorted(path.name for path in PROGRAMS.iterdir() if path.is_dir())
USUAL_TYPE = "XDP"  # for fixtures whose section does not tell

# Program: part of the message. Each of them shows that something is refused, or is for labels
# only and never was a program that anybody would run.
MADE_TO_FAIL = {
    "core.reads_task": "invalid bpf_context access",  # its context is no task
    "core_kinds.offset_of_nothing": "no task_struct.never_there",
    "core_kinds.enumerator_of_nothing": "no bpf_func_id.BPF_FUNC_never_there",
    "iterators.later": "does not say what it is attached to",
    "kfunc.variable": "bpf_prog_active",  # not exported on this kernel
    "map_extra.look": "R2 type=scalar",
    "maps.names_events": "cannot pass map_type 4",
    "missing_function.calls": "it loads nowhere",
    "may_bpf_syscall.shows": "R2 type=ctx",
    "may_crypto.shows": "other types than the object declares",
    "may_exec_deferred.shows": "no valid bpf_timer",
    "may_exec_unbounded.shows": "invalid access to packet",
    "may_file_xattr_write.shows": "other types than the object declares",
    "may_net_conntrack.shows": "other types than the object declares",
    "may_proc_task_control.shows": "other types than the object declares",
    "may_unknown.shows": "invalid func unknown#4999",
    "traced.later_tracepoint": "does not say what it is attached to",
    "presence.by_enumerator": "cannot pass map_type 4",
    "presence.by_absence": "cannot use helper",  # its context is no task
    "presence.not_guarded": "cannot use helper",
}
NOT_LINKED_YET = {"STRUCT_OPS", "EXT"}
TRAMPOLINES = {"TRACE_FENTRY", "TRACE_FEXIT", "MODIFY_RETURN", "LSM_MAC", "LSM_CGROUP"}


def settings(object_file: ObjectFile, spec: ProgramSpec) -> LinkSettings:
    names = {each.name for each in object_file.programs}
    begun_with = {name for each in object_file.maps for _index, name in each.initial}
    chosen = {spec.name} | (begun_with & names)
    return LinkSettings(
        programs=frozenset(chosen),
        program_types={
            each.name: USUAL_TYPE
            for each in object_file.programs
            if each.name in chosen and each.program_type is None
        },
        licence="GPL" if object_file.licence is None else None,
        max_entries={
            each.name: 1
            for each in object_file.maps
            if each.map_type == MAP_TYPES["HASH"] and not each.max_entries
        },
        possible_cpus=possible_cpus(),
        kernel_config=kernel_configuration(),
        kernel_version=kernel_version_code(),
    )


def linked(object_file: ObjectFile, spec: ProgramSpec) -> LoadPlan:
    return link(object_file, running_types(), settings(object_file, spec))


def refusal(object_file: ObjectFile, spec: ProgramSpec) -> SkepError | None:
    """Why a program is not loaded, ``None`` if it is."""
    try:
        with execute(linked(object_file, spec)):
            return None
    except SkepError as error:
        return error


def nothing(program_type: str, attach_type: str | None, target: str = "") -> ProgramPlan:
    ids = running_types().find(target, Kind.FUNC)
    return ProgramPlan(
        "nothing",
        PROGRAM_TYPES[program_type],
        0 if attach_type is None else ATTACH_TYPES[attach_type],
        0,
        "GPL",
        (Instruction(0xB7), Instruction(0x95)),
        attach_btf_id=ids[0] if ids else 0,
    )


def answer(program: ProgramPlan) -> SkepError | None:
    try:
        with load_program(program, []):
            return None
    except SkepError as error:
        return error


@cache
def has_trampolines() -> bool:
    return answer(nothing("TRACING", "TRACE_FENTRY", "do_unlinkat")) is None


def keeps_helper(spec: ProgramSpec, number: int) -> bool:
    """Whether this kernel has not got the helper for programs of that type."""
    plan = nothing(spec.program_type or USUAL_TYPE, spec.attach_type)
    code = (Instruction(0x85, immediate=number), *plan.instructions)
    found = answer(ProgramPlan("asks", plan.program_type, plan.attach_type, 0, plan.licence, code))
    return isinstance(found, VerifierRefused) and "cannot use helper" in found.message


def is_excused(spec: ProgramSpec, error: SkepError) -> bool:
    """Whether this kernel, not our loader, is the reason."""
    if spec.program_type in NOT_LINKED_YET:
        return isinstance(error, CannotLink)
    missing = re.search(r"this kernel has no function (\w+),", error.message)
    if missing:
        return not running_types().find(missing[1], Kind.FUNC)
    absent = re.search(r"this kernel has no (\w+) to attach to", error.message)
    if absent:
        return not any(running_types().find(absent[1], kind) for kind in (Kind.FUNC, Kind.TYPEDEF))
    kept = re.search(r"program of this type cannot use helper \w+#([0-9]+)", error.message)
    if kept:
        return keeps_helper(spec, int(kept[1]))
    number = error.__cause__.number if isinstance(error.__cause__, BpfError) else 0
    if isinstance(error, LacksPrivilege) and number == errno.EPERM:
        return spec.attach_type in TRAMPOLINES and not has_trampolines()
    if isinstance(error, KernelRefused) and number == errno.EINVAL and spec.program_type:
        return isinstance(answer(nothing(spec.program_type, spec.attach_type)), KernelRefused)
    return False


@pytest.mark.parametrize("name", NAMES)
def test_every_program_of_a_fixture_is_loaded_or_has_an_excuse(name: str) -> None:
    object_file = fixture(name)
    for spec in object_file.programs:
        full = f"{name}.{spec.name}"
        error = refusal(object_file, spec)
        if full in MADE_TO_FAIL:
            assert error is not None, f"{full} is loaded, and listed as made to fail"
            assert MADE_TO_FAIL[full] in error.message
        elif error is not None:
            assert is_excused(spec, error), f"{full} is not loaded: {error}"


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_program_is_loaded(name: str) -> None:
    object_file = read_object(bundled_object(name))
    assert object_file.programs
    for spec in object_file.programs:
        with execute(linked(object_file, spec)) as loaded:
            assert [each.name for each in loaded.programs] == [spec.name[:15]]
            assert loaded.programs[0].program_tag


def test_programs_that_need_a_trampoline_are_told_apart_from_a_lack_of_privilege() -> None:
    error = answer(nothing("TRACING", "TRACE_FENTRY", "do_unlinkat"))
    if error is not None:
        assert isinstance(error, LacksPrivilege)
        assert "lockdown or another policy" in error.hint
