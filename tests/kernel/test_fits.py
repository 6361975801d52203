"""What is said of a kernel, compared with what the running one does."""

import platform

import pytest
from tests.builders.assembled import (
    R1,
    R10,
    Line,
    Part,
    function,
    leave,
    local,
    mov,
    one_program,
    store,
)

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.helper_needs import NEWEST_KNOWN, availability
from skep.bytecode.analysis.kernel_fit import fit_to_version
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.plan import ProgramPlan
from skep.bytecode.objectfile.model import ProgramSpec
from skep.kernel.errors import KernelRefused, VerifierRefused
from skep.kernel.loading import load_program
from skep.versions import KernelVersion, backporting_vendor

pytestmark = pytest.mark.kernel

VERSION = KernelVersion.parse(platform.release())
KERNEL = (VERSION.major, VERSION.minor)
BY_CONFIGURATION = {36, 58}  # lockdown, error injection
NOT_ALLOWED = ("cannot use helper", "unknown func", "might sleep", "not supported for program type")

versions_count = pytest.mark.skipif(
    bool(backporting_vendor(platform.release())) or KERNEL > NEWEST_KNOWN,
    reason="the version of this kernel does not tell what it has",
)


def refusal(
    program_type: str, attach_type: str | None, instructions: tuple[Instruction, ...]
) -> str | None:
    """What the kernel says; ``None`` if it loads them."""
    plan = ProgramPlan(
        name="main",
        program_type=PROGRAM_TYPES[program_type],
        attach_type=ATTACH_TYPES[attach_type] if attach_type else 0,
        flags=0,
        licence="GPL",
        instructions=instructions,
    )
    try:
        with load_program(plan, []):
            return None
    except (KernelRefused, VerifierRefused) as error:
        return str(error)


@versions_count
@pytest.mark.parametrize(
    ("program_type", "attach_type"),
    [
        ("SOCKET_FILTER", None),
        ("KPROBE", None),
        ("SCHED_CLS", None),
        ("TRACEPOINT", None),
        ("XDP", None),
        ("PERF_EVENT", None),
        ("CGROUP_SKB", "CGROUP_INET_INGRESS"),
        ("CGROUP_SOCK", "CGROUP_INET_SOCK_CREATE"),
        ("LWT_IN", None),
        ("LWT_XMIT", None),
        ("SOCK_OPS", None),
        ("SK_SKB", None),
        ("CGROUP_DEVICE", "CGROUP_DEVICE"),
        ("SK_MSG", None),
        ("RAW_TRACEPOINT", None),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET6_BIND"),
        ("CGROUP_SOCK_ADDR", "CGROUP_UDP4_RECVMSG"),
        ("SK_REUSEPORT", None),
        ("FLOW_DISSECTOR", None),
        ("CGROUP_SYSCTL", "CGROUP_SYSCTL"),
        ("CGROUP_SOCKOPT", "CGROUP_GETSOCKOPT"),
        ("CGROUP_SOCKOPT", "CGROUP_SETSOCKOPT"),
        ("SK_LOOKUP", "SK_LOOKUP"),
        ("NETFILTER", "NETFILTER"),
    ],
)
def test_a_type_may_call_the_helpers_the_tables_say(
    program_type: str, attach_type: str | None
) -> None:
    spec = ProgramSpec("main", "x", program_type, attach_type)
    wrong = []
    for helper in HELPERS.keys() - BY_CONFIGURATION:
        found = availability(helper, spec)
        assert found is not None
        may = found.since is not None and found.since <= KERNEL
        may = may and (found.gone is None or found.gone > KERNEL)
        code = (Instruction(0x85, 0, 0, 0, helper), Instruction(0x95))
        said = refusal(program_type, attach_type, code) or ""
        if any(words in said for words in NOT_ALLOWED) is may:
            wrong.append((HELPERS[helper].name, found, said))
    assert wrong == []


DEEP: list[Line] = [mov(R1, 0), store(8, R10, -400, R1)]


@versions_count
@pytest.mark.parametrize(
    ("program_type", "attach_type", "listing"),
    [
        pytest.param("XDP", None, [Instruction(0x8D, 0, 0, 0, R1), *leave(2)], id="callx"),
        pytest.param("XDP", None, [Instruction(0x0F, 0, R1, 7), *leave(2)], id="reserved"),
        pytest.param(
            "XDP", None, [Instruction(0x05, 0, 0, 1), mov(0, 1), *leave(2)], id="unreached"
        ),
        pytest.param("XDP", None, [Instruction(0x05, 0, 0, 40), *leave(2)], id="out-of-range"),
        pytest.param("XDP", None, [Instruction(0x20, 0, 0, 0, 12), *leave(2)], id="packet-load"),
        pytest.param("XDP", None, [mov(R1, 0), store(8, R10, -520, R1), *leave(2)], id="stack"),
        pytest.param("XDP", None, [*DEEP, *leave(2)], id="stack-that-fits"),
        pytest.param("XDP", None, leave(77), id="any-exit-value"),
        pytest.param("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", leave(3), id="bind-3"),
        pytest.param("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", leave(4), id="bind-4"),
        pytest.param("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", leave(2), id="connect-2"),
        pytest.param("CGROUP_SOCK_ADDR", "CGROUP_UDP4_RECVMSG", leave(0), id="recvmsg-0"),
        pytest.param("CGROUP_SKB", "CGROUP_INET_EGRESS", leave(3), id="egress-3"),
        pytest.param("CGROUP_SKB", "CGROUP_INET_INGRESS", leave(2), id="ingress-2"),
        pytest.param("SK_LOOKUP", "SK_LOOKUP", leave(2), id="lookup-2"),
        pytest.param("NETFILTER", "NETFILTER", leave(2), id="netfilter-2"),
        pytest.param("SOCK_OPS", None, leave(-1), id="sock-ops-minus-1"),
        pytest.param("KPROBE", None, leave(5), id="probe-5"),
    ],
)
def test_a_program_loads_if_it_is_said_to_fit(
    program_type: str, attach_type: str | None, listing: list[Part]
) -> None:
    objects = one_program(*listing, program_type=program_type, attach_type=attach_type)
    (code,) = (each.instructions for each in objects.functions)
    said = refusal(program_type, attach_type, code)
    fit = fit_to_version(analyse(objects), VERSION)
    assert fit.fits is (said is None), (said, fit.findings)


@versions_count
@pytest.mark.parametrize("program_type", ["XDP", "KPROBE"])
def test_stacks_of_nested_calls_are_judged_as_the_kernel_does(program_type: str) -> None:
    deep = function("f", DEEP, leave(0)).instructions
    call = Instruction(0x85, 0, 1, 0, 2)  # over "r0 = 0; exit"
    main = (*(each for each in DEEP if isinstance(each, Instruction)), call)
    code = (*main, *function("end", leave(0)).instructions, *deep)
    objects = one_program(
        DEEP,
        local("f"),
        leave(0),
        program_type=program_type,
        others=[function("f", DEEP, leave(0))],
    )
    fit = fit_to_version(analyse(objects), VERSION)
    assert fit.fits is (refusal(program_type, None, code) is None)
