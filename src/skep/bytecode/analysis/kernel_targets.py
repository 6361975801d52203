"""Permissions that follow from an attach target: system calls, security, applications.

The kernel has several names for one thing: a system call passes a tracepoint, a dispatcher and
entry functions that differ between architectures. A hook without a target gets one when it is
attached, so whatever it could be attached to is possible.

Sources: SYSCALL_DEFINE in include/linux/syscalls.h and arch/*/include/asm/syscall_wrapper.h;
arch/*/entry and arch/*/kernel of Linux 6.12 for the dispatchers; ``check_attach_modify_return`` in
kernel/bpf/verifier.c.
"""

import re
from enum import Enum
from functools import cache

from skep.bytecode.analysis.programs import AnalysedProgram

_TRACEPOINTS = frozenset({"tracepoint", "tp"})
_RAW_TRACEPOINTS = frozenset({"raw_tracepoint", "raw_tp", "tp_btf"})
_FUNCTIONS = frozenset({"kprobe", "kretprobe", "fentry", "fexit", "fmod_ret", "fsession"})
_SYSTEM_CALLS = frozenset({"ksyscall", "kretsyscall"})
_APPLICATIONS = frozenset({"uprobe", "uretprobe", "usdt"})
_TRACING_TYPES = frozenset(
    {"KPROBE", "TRACEPOINT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE", "TRACING"}
)

_KEYWORD = re.compile(
    "({})(?![a-zA-Z])".format(
        "|".join(
            sorted(
                _TRACEPOINTS | _RAW_TRACEPOINTS | _FUNCTIONS | _SYSTEM_CALLS | _APPLICATIONS,
                key=lambda word: -len(word),
            )
        )
    )
)

# Behind the name: a place in the function, or what compilers call their copies of it.
_CLONE = re.compile(r"(?<=.)(?:\+|\.(?:isra|constprop|part|cold|llvm)\b).*")

# Functions every system call passes, and the names one system call has.
_DISPATCHERS = (
    "do_syscall_64",
    "do_syscall_x64",
    "do_syscall_x32",
    "x64_sys_call",
    "x32_sys_call",
    "ia32_sys_call",
    "do_int80_*",
    "do_fast_syscall_32",
    "__do_fast_syscall_32",
    "do_SYSENTER_32",
    "entry_SYSCALL_*",
    "entry_SYSENTER_*",
    "entry_INT80_*",
    "el0_svc*",
    "do_el0_svc*",
    "invoke_syscall",
    "__invoke_syscall",
    "system_call_exception",
    "system_call_common",
    "do_syscall",
    "__do_syscall",
    "do_trap_ecall_u",
    "syscall_trace_*",
    "trace_syscall_*",
    "perf_syscall_*",
    "ftrace_syscall_*",
    "perf_trace_sys_*",
    "__audit_syscall_*",
    "audit_syscall_*",
    "ptrace_report_syscall*",
    "__secure_computing",
    "syscall_enter_from_user_mode*",
    "syscall_exit_to_user_mode*",
    "syscall_exit_work",
    "trace_sys_enter",
    "trace_sys_exit",
    "__traceiter_sys_enter",
    "__traceiter_sys_exit",
    "__bpf_trace_sys_*",
    "trace_event_raw_event_sys_*",
)
_ARCHITECTURES = ("x64", "x32", "ia32", "arm64", "s390", "s390x", "riscv", "powerpc", "loongarch")
_ENTRIES = (
    *(f"__{name}_sys_*" for name in _ARCHITECTURES),
    *(f"__{name}_compat_sys_*" for name in _ARCHITECTURES),
    "__se_sys_*",
    "__se_compat_sys_*",
    "__do_sys_*",
    "__do_compat_sys_*",
    "__sys_*",
    "sys_*",
    ".sys_*",
    "SyS_*",
    "SYSC_*",
    "compat_sys_*",
    "compat_SyS_*",
    "ksys_*",
    "do_sys_*",
)
_SYSTEM_CALL_NAMES = (*_DISPATCHERS, *_ENTRIES)


class TargetAnswer(Enum):
    """What the object says about its targets."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


_ANSWERS = (TargetAnswer.NO, TargetAnswer.YES)


def keyword_of(program: AnalysedProgram) -> str:
    """Kind of tracing the section names, ``kprobe`` for ``kprobe.multi/…``; empty if none.

    A program whose type was stated has none: its section is not believed.
    """
    section = program.spec.section.removeprefix("?")
    found = _KEYWORD.match(section) if program.type_source == "section" else None
    return "" if found is None else found[1]


def target_of(program: AnalysedProgram) -> str:
    """The part of the section name after the slash; empty if the target is chosen later."""
    return program.spec.target if program.type_source == "section" else ""


def hooks_applications(program: AnalysedProgram) -> TargetAnswer:
    """Whether the program runs where an application or a library does something."""
    spec = program.spec
    if spec.program_type != "KPROBE":
        return TargetAnswer.NO
    keyword, attach = keyword_of(program), spec.attach_type or ""
    if keyword in _APPLICATIONS or attach.startswith("TRACE_UPROBE_"):
        return TargetAnswer.YES
    return TargetAnswer.NO if keyword or attach else TargetAnswer.MAYBE


def sees_system_calls(program: AnalysedProgram) -> TargetAnswer:
    """Whether the program runs when any application makes system calls."""
    spec = program.spec
    if spec.program_type not in _TRACING_TYPES or spec.attach_type == "TRACE_ITER":
        return TargetAnswer.NO
    if hooks_applications(program) is TargetAnswer.YES:
        return TargetAnswer.NO
    keyword, target = keyword_of(program), target_of(program)
    if keyword in _SYSTEM_CALLS:
        return TargetAnswer.YES
    if not target:
        return TargetAnswer.MAYBE
    if keyword in _TRACEPOINTS:
        return _ANSWERS[target.partition("/")[0] in {"syscalls", "raw_syscalls"}]
    if keyword in _RAW_TRACEPOINTS:
        return _ANSWERS[target in {"sys_enter", "sys_exit"}]
    if keyword in _FUNCTIONS:
        names = [_CLONE.sub("", name) for name in target.replace(" ", "").split(",")]
        return _ANSWERS[any(map(_is_system_call, names))]
    return TargetAnswer.MAYBE


@cache
def _is_system_call(pattern: str) -> bool:
    """Whether a name, or some name a pattern matches, is one of a system call."""
    return any(_overlap(pattern, name) for name in _SYSTEM_CALL_NAMES)


def _overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns (``*`` any text, ``?`` one character).

    >>> _overlap("__x64_sys_*", "*_sys_read"), _overlap("tcp_*", "sys_*")
    (True, False)
    """
    # Places in `one` that can be reached together with each place in `other`, text by text.
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if i == len(one) and j == len(other):
            return True
        a, b = one[i : i + 1], other[j : j + 1]
        steps = []
        if a == "*":
            steps += [(i + 1, j), *([(i, j + 1)] if b else [])]
        if b == "*":
            steps += [(i, j + 1), *([(i + 1, j)] if a else [])]
        if a and b and a != "*" and b != "*" and (a == b or "?" in {a, b}):
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in reached:
                reached.add(step)
                waiting.append(step)
    return False


def security_hook(program: AnalysedProgram) -> str:
    """Name of the security hook of an LSM program; empty if it is chosen when attached."""
    return target_of(program) if program.spec.program_type == "LSM" else ""


def changes_security(program: AnalysedProgram) -> TargetAnswer:
    """Whether the program sits where security modules decide, and its answer counts."""
    spec = program.spec
    if spec.program_type == "LSM":
        return TargetAnswer.YES
    if spec.program_type != "TRACING" or spec.attach_type != "MODIFY_RETURN":
        return TargetAnswer.NO
    target = target_of(program)
    return _ANSWERS[target.startswith("security_")] if target else TargetAnswer.MAYBE
