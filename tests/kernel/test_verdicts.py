"""The verdict tables against the running kernel: what may be returned, and what it does."""

import errno
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from tests.builders.kernels import running_types
from tests.builders.wires import namespace

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.plan import ProgramPlan
from skep.errors import SkepError
from skep.hooks.verdict import VerdictTable
from skep.hooks.verdicts import VERDICT_TABLES, verdicts_of
from skep.kernel.attributes import BpfCommand, LinkCreate
from skep.kernel.errors import VerifierRefused
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.namespaces import entered
from skep.kernel.syscall import bpf

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

VALUES = (-4096, -13, -1, 0, 1, 2, 3, 4, 5, 7, 8, 128, 129, 256)
TARGETS = {
    "TRACE_RAW_TP": ("btf_trace_sys_enter", Kind.TYPEDEF),
    "TRACE_ITER": ("bpf_iter_task", Kind.FUNC),
    "TRACE_FENTRY": ("do_unlinkat", Kind.FUNC),
    "MODIFY_RETURN": ("security_file_open", Kind.FUNC),
    "LSM_MAC": ("bpf_lsm_file_open", Kind.FUNC),
    "LSM_CGROUP": ("bpf_lsm_socket_bind", Kind.FUNC),
}
_SLEEPABLE = 16  # BPF_F_SLEEPABLE
NEED_ANOTHER_PROGRAM = {"EXT", "STRUCT_OPS"}
USUAL = {"TRACING": "TRACE_FENTRY", "LSM": "LSM_MAC", "SK_LOOKUP": "SK_LOOKUP"}
USUAL |= {"NETFILTER": "NETFILTER", "CGROUP_SOCKOPT": "CGROUP_SETSOCKOPT"}
USUAL |= {"CGROUP_SOCK_ADDR": "CGROUP_INET4_BIND", "CGROUP_SOCK": "CGROUP_INET_SOCK_CREATE"}
# Kinds of program a kernel may be built or locked without; the tables say nothing of that.
MAY_BE_MISSING = {"LIRC_MODE2", "LSM", "TRACING"}


@cache
def target(attach_type: str | None) -> int:
    name, kind = TARGETS.get(attach_type or "", ("", Kind.FUNC))
    found = running_types().find(name, kind) if name else []
    return found[0] if found else 0


def returning(program_type: str, attach_type: str | None, value: int) -> ProgramPlan:
    return ProgramPlan(
        "returns",
        PROGRAM_TYPES[program_type],
        0 if attach_type is None else ATTACH_TYPES[attach_type],
        _SLEEPABLE if program_type == "SYSCALL" else 0,
        "GPL",
        (Instruction(0xB7, immediate=value), Instruction(0x95)),
        attach_btf_id=target(attach_type),
    )


def refusal(program_type: str, attach_type: str | None, value: int) -> SkepError | None:
    try:
        with load_program(returning(program_type, attach_type, value), []):
            return None
    except SkepError as error:
        return error


def hooks(table: VerdictTable) -> list[str | None]:
    return [*table.attach_types] or [USUAL.get(table.program_type)]


@pytest.mark.parametrize(
    ("table", "attach_type"),
    [
        pytest.param(table, each, id=f"{table.program_type}-{each}")
        for table in VERDICT_TABLES
        if table.program_type not in NEED_ANOTHER_PROGRAM
        for each in hooks(table)
        if verdicts_of(table.program_type, each) is table
    ],
)
def test_the_verifier_accepts_what_the_table_says(
    table: VerdictTable, attach_type: str | None
) -> None:
    neutral = 1 if table.neutral is None else table.neutral
    missing = refusal(table.program_type, attach_type, neutral)
    if missing is not None:
        assert not isinstance(missing, VerifierRefused)
        is_new = attach_type is not None and ATTACH_TYPES[attach_type] >= 58  # of Linux 7.0
        assert table.program_type in MAY_BE_MISSING or is_new, missing
        pytest.skip(f"this kernel does not take such programs: {missing.message}")
    found = {value: refusal(table.program_type, attach_type, value) for value in VALUES}
    accepted = {value for value, error in found.items() if error is None}
    assert accepted == {value for value in VALUES if table.is_accepted(value)}


@contextmanager
def attached(
    program_type: str, attach_type: str, value: int, descriptor: int
) -> Iterator[LoadedProgram]:
    with load_program(returning(program_type, attach_type, value), []) as program:
        link = bpf(
            BpfCommand.LINK_CREATE,
            LinkCreate(
                prog_fd=program.descriptor.number,
                target_ifindex=descriptor,  # a union with the descriptor of the target
                attach_type=ATTACH_TYPES[attach_type],
            ),
        )
        try:
            yield program
        finally:
            os.close(link)


def _unified() -> Path | None:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _device, place, kind, *_rest = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A control group of this test's own."""
    root = _unified()
    if root is None:
        pytest.skip("no control groups of version 2 are mounted")
    path = root / f"skep-test-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


_IN_GROUP = """
import os, pathlib, socket, sys
pathlib.Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
if {as_nobody}:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    {statement}
    print("done")
except OSError as error:
    print(error.errno)
"""


def outcome(group: Path, statement: str, *, as_nobody: bool = False) -> str:
    """``done``, or the name of the error a process in ``group`` meets."""
    script = _IN_GROUP.format(statement=statement, as_nobody=as_nobody)
    ended = subprocess.run(
        [sys.executable, "-c", script, str(group)], capture_output=True, text=True, check=True
    )
    said = ended.stdout.strip()
    return said if said == "done" else errno.errorcode[int(said)]


BIND = "socket.socket().bind(('127.0.0.1', 81))"
CONNECT = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 81))"
SEND = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 81))"
READ = "open('/proc/sys/net/ipv4/ip_forward').read()"
ASK = "socket.socket().getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)"


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "statement", "expected"),
    [
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 0, BIND, "EPERM"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 1, BIND, "EACCES"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 2, BIND, "EPERM"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 3, BIND, "done"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", 0, CONNECT, "EPERM"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", 1, CONNECT, "done"),
        ("CGROUP_SOCK_ADDR", "CGROUP_UDP4_SENDMSG", 0, SEND, "EPERM"),
        ("CGROUP_SOCK", "CGROUP_INET_SOCK_CREATE", 0, "socket.socket()", "EPERM"),
        ("CGROUP_SOCK", "CGROUP_INET_SOCK_RELEASE", 0, "socket.socket().close()", "done"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 0, SEND, "EPERM"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 1, SEND, "done"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 3, SEND, "done"),
        ("CGROUP_DEVICE", "CGROUP_DEVICE", 0, "open('/dev/null')", "EPERM"),
        ("CGROUP_DEVICE", "CGROUP_DEVICE", 1, "open('/dev/null')", "done"),
        ("CGROUP_SYSCTL", "CGROUP_SYSCTL", 0, READ, "EPERM"),
        ("CGROUP_SYSCTL", "CGROUP_SYSCTL", 1, READ, "done"),
        ("CGROUP_SOCKOPT", "CGROUP_GETSOCKOPT", 0, ASK, "EPERM"),
        ("CGROUP_SOCKOPT", "CGROUP_GETSOCKOPT", 1, ASK, "done"),
    ],
)
def test_a_control_group_gets_what_the_value_says(
    control_group: Path,
    program_type: str,
    attach_type: str,
    value: int,
    statement: str,
    expected: str,
) -> None:
    descriptor = os.open(control_group, os.O_RDONLY)
    try:
        with attached(program_type, attach_type, value, descriptor):
            found = outcome(control_group, statement, as_nobody=statement == BIND)
    finally:
        os.close(descriptor)
    assert found == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "refused"), (1, "connected")])
def test_a_lookup_that_drops_refuses_the_connection(value: int, expected: str) -> None:
    # Not here: it is asked about every connection in its namespace, those of other tests, too.
    with namespace() as name, entered(name):
        ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            with socket.socket() as server, socket.socket() as client:
                server.bind(("127.0.0.1", 0))
                server.listen()
                with attached("SK_LOOKUP", "SK_LOOKUP", value, ours):
                    try:
                        client.connect(server.getsockname())
                        found = "connected"
                    except ConnectionRefusedError:
                        found = "refused"
        finally:
            os.close(ours)
    assert found == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, b""), (12, b"0123"), (0xFFFF, b"0123456789"), (-1, b"0123456789")],
)
def test_a_socket_filter_drops_cuts_or_keeps(value: int, expected: bytes) -> None:
    header_bytes, attach = 8, 50  # of UDP; SO_ATTACH_BPF
    assert header_bytes + 4 == 12
    with (
        load_program(returning("SOCKET_FILTER", None, value), []) as program,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30 if expected else 0.2)
        receiver.setsockopt(socket.SOL_SOCKET, attach, program.descriptor.number)
        sender.sendto(b"0123456789", receiver.getsockname())
        try:
            found = receiver.recv(64)
        except TimeoutError:
            found = b""
    assert found == expected
