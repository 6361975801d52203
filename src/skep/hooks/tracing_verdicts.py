"""Return values of programs that trace, enforce security, or take the place of other code.

Sources, Linux 6.12: kernel/bpf/verifier.c (``check_return_code``), kernel/trace/bpf_trace.c,
kernel/trace/trace_kprobe.c and kernel/events/core.c (0 keeps the event from perf),
arch/x86/net/bpf_jit_comp.c (``invoke_bpf_mod_ret``), kernel/bpf/bpf_iter.c, kernel/bpf/cgroup.c
(``__cgroup_bpf_run_lsm_*``), drivers/media/rc/bpf-lirc.c.
"""

from skep.hooks.verdict import Exactly, Others, Verdict, VerdictTable
from skep.versions import KernelVersion

_REFUSED = Verdict("refused by the verifier", Others(), "cannot be returned")
_NO_EFFECT = (Verdict("any", Others(), "has no effect", passes=True),)
_KEEPS_FROM_PERF = (
    Verdict("nothing", Exactly(0), "drops the event from perf records"),
    Verdict("record", Others(), "lets perf record the event", passes=True),
)
_MUST_BE_ZERO = (Verdict("0", Exactly(0), "has no effect", passes=True), _REFUSED)


def _session(attach_type: str, first_kernel: KernelVersion) -> VerdictTable:
    return VerdictTable(
        "KPROBE",
        (
            Verdict("0", Exactly(0), "runs again when the function returns", passes=True),
            Verdict(
                "1",
                Exactly(1),
                "does not run when the function returns",
                passes=True,
                first_kernel=first_kernel,
            ),
            _REFUSED,
        ),
        (attach_type,),
        neutral=0,
        accepted=(0, 1),
    )


def _without_effect(program_type: str, *attach_types: str) -> VerdictTable:
    return VerdictTable(program_type, _NO_EFFECT, attach_types, neutral=0)


def _replaced(which: Exactly | Others, *permissions: str, by_redirect: bool = False) -> Verdict:
    name = str(which.value) if isinstance(which, Exactly) else "any"
    return Verdict(
        name,
        which,
        "depends on the replaced function",
        permissions,
        by_redirect=by_redirect,
        is_certain=False,
    )


TRACING_TABLES = (
    VerdictTable(
        "LSM",
        (
            Verdict("allow", Exactly(1), "lets the operation through", passes=True),
            Verdict("deny", Exactly(0), "denies the operation", ("lsm.enforce",)),
            _REFUSED,
        ),
        ("LSM_CGROUP",),
        neutral=1,
        accepted=(0, 1),
        takes_error=True,
    ),
    VerdictTable(
        "LSM",
        (
            Verdict("allow", Exactly(0), "lets the other security modules decide", passes=True),
            Verdict("deny", Others(), "denies the operation", ("lsm.enforce",)),
        ),
        neutral=0,
    ),
    VerdictTable(
        "TRACING",
        (
            Verdict("run", Exactly(0), "runs the function", passes=True),
            Verdict(
                "replace",
                Others(),
                "returns this instead of running the function",
                ("kernel.modify_return",),
            ),
        ),
        ("MODIFY_RETURN",),
        neutral=0,
    ),
    VerdictTable(
        "TRACING",
        (
            Verdict("0", Exactly(0), "continues with the next object", passes=True),
            Verdict("1", Exactly(1), "asks for the same object again", passes=True),
            _REFUSED,
        ),
        ("TRACE_ITER",),
        neutral=0,
        accepted=(0, 1),
    ),
    _without_effect("TRACING", "TRACE_RAW_TP"),
    VerdictTable("TRACING", _MUST_BE_ZERO, neutral=0, accepted=(0, 0)),
    _session("TRACE_KPROBE_SESSION", KernelVersion(6, 10)),
    _session("TRACE_UPROBE_SESSION", KernelVersion(6, 13)),
    VerdictTable("KPROBE", _KEEPS_FROM_PERF, neutral=1),
    VerdictTable("TRACEPOINT", _KEEPS_FROM_PERF, neutral=1),
    VerdictTable("PERF_EVENT", _KEEPS_FROM_PERF, neutral=1),
    _without_effect("RAW_TRACEPOINT"),
    _without_effect("RAW_TRACEPOINT_WRITABLE"),
    _without_effect("SYSCALL"),
    _without_effect("LIRC_MODE2"),
    # Each operation of each type gives it a meaning; the type alone shows the permission.
    VerdictTable(
        "STRUCT_OPS", (Verdict("any", Others(), "depends on the operation", passes=True),)
    ),
    VerdictTable(
        # It answers for the function it replaces; what XDP and traffic control make of the value.
        "EXT",
        (
            _replaced(Exactly(3), "net.drop", "net.reflect"),
            _replaced(Exactly(4), "net.drop", "net.redirect"),
            _replaced(Exactly(7), "net.drop", "net.redirect", by_redirect=True),
            _replaced(Others(), "net.drop"),
        ),
    ),
)
