"""Attempts to hide something from a label, and what the label says of each.

The list for people is in docs/explanation/labels.md; a row there names the attempt here. An attempt
is told by what it must not get past: permissions that have to be shown, as certain or as possible.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R10,
    Listing,
    Part,
    add,
    call,
    copy,
    function,
    function_address,
    jump,
    jump_if_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    one_program,
    store,
    symbol_address,
    value_address,
)
from tests.builders.btf import BtfBuilder
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.objectfile.model import CoreRelocation, Extern, MapSpec, ObjectFile

TC: dict[str, Any] = {"program_type": "SCHED_CLS", "section": "tc"}
FLOWS = MapSpec("flows", 1, 4, 64, 16)
TEXTS = MapSpec(".rodata", 2, 4, 8, 1, 0x80, data=b"%s\0\0\0\0\0\0", origin="data")
DEVICES = MapSpec("devices", 14, 4, 4, 16)

Expected = Mapping[str, str]
CERTAIN, SHOWN = "declared", "shown"


def at(register: int, place: int) -> Listing:
    """An address on the stack."""
    return [copy(register, R10), add(register, place)]


def either_place(register: int) -> Listing:
    """One of two places on the stack, by the number in r6."""
    return [
        copy(register, R10),
        jump_if_equal(R6, 0, 2),
        add(register, -8),
        jump(1),
        add(register, -16),
    ]


def records(
    *found: tuple[int, CoreKind], listing: Listing, root: str = "task_struct", **settings: Any
) -> ObjectFile:
    """A program with CO-RE records at slots, about a structure that its author made up."""
    builder = BtfBuilder()
    type_id = builder.struct(root, 64, [("pid", builder.integer(), 0)])
    made = one_program(*listing, **settings)
    return replace(
        made,
        types=read_btf(builder.build(), "little"),
        core_relocations=tuple(
            CoreRelocation("main", slot, type_id, root, "0:0", kind) for slot, kind in found
        ),
    )


def with_value(*lookup: Part, maps: Sequence[MapSpec] = (FLOWS,), **settings: Any) -> ObjectFile:
    """A program that looks a map's value up into r6 and goes on."""
    start: Listing = [
        copy(R7, R1),
        mov(R2, 0),
        store(4, R10, -4, R2),
        *at(R2, -4),
        map_address(R1, "flows"),
        call(1),
        Instruction(0x55, R0, 0, 2, 0),
        *leave(2),
        copy(R6, R0),
    ]
    return one_program(*start, *lookup, maps=maps, **settings)


def with_kernel_pointer() -> ObjectFile:
    """A program that follows what a map's value holds, where that is a pointer of the kernel."""
    builder = BtfBuilder()
    task = builder.struct("task_struct", 64, [("pid", builder.integer(), 0)])
    value = builder.struct(
        "value", 64, [("task", builder.pointer(builder.modifier(Kind.TYPE_TAG, task, "kptr")), 0)]
    )
    maps = [replace(FLOWS, value_type_id=value)]
    made = with_value(load(8, R1, R6), load(4, R2, R1), *leave(2), maps=maps)
    return replace(made, types=read_btf(builder.build(), "little"))


def with_exception_callback() -> ObjectFile:
    """A program that throws a harmless value, of which a function named by a tag makes another."""
    builder = BtfBuilder()
    main = builder.function("main")
    builder.raw(Kind.DECL_TAG, "exception_callback:handler", value=main, tail=[-1])
    made = one_program(
        mov(R1, 2),
        kernel_call("bpf_throw"),
        *leave(2),
        others=[function("handler", *leave(1))],
        externs=[Extern("bpf_throw", "kfunc")],
    )
    entry, handler = made.functions
    return replace(
        made,
        types=read_btf(builder.build(), "little"),
        functions=(replace(entry, type_id=main), handler),
    )


OFFSET, EXISTS = CoreKind.FIELD_BYTE_OFFSET, CoreKind.FIELD_EXISTS

ATTEMPTS: dict[str, tuple[ObjectFile, Expected]] = {
    # Values a loader changes.
    "record-on-arithmetic": (
        records((1, OFFSET), listing=[mov(R0, 0), add(R0, 2), EXIT]),
        {"net.drop": SHOWN},
    ),
    "record-on-a-stack-store": (
        records(
            (2, OFFSET),
            listing=[
                mov(R2, 2),
                store(8, R10, -8, R2),
                store(4, R10, -16, R2),
                load(8, R0, R10, -8),
                EXIT,
            ],
            root="xdp_md",
        ),
        {"net.drop": SHOWN},
    ),
    "several-records-at-one-place": (
        records((0, EXISTS), (0, OFFSET), listing=[mov(R0, 2), EXIT]),
        {"net.drop": SHOWN, "net.redirect": SHOWN},
    ),
    "record-on-a-maps-address": (
        records(
            (0, OFFSET),
            listing=[value_address(R1, ".bss"), mov(R2, 1), store(4, R1, 0, R2), *leave(2)],
            maps=[MapSpec(".bss", 2, 4, 8, 1, data=bytes(8), origin="data")],
        ),
        {"data.state": SHOWN},
    ),
    "question-with-the-harmless-answer": (
        records((0, EXISTS), listing=[mov(R1, 0), jump_if_equal(R1, 0, 2), *leave(1), *leave(2)]),
        {"net.drop": CERTAIN},
    ),
    "structure-laid-over-the-context": (
        records(
            (1, OFFSET),
            listing=[mov(R2, 1), store(4, R1, 100, R2), *leave(0)],
            root="list_head",
            **TC,
        ),
        {"net.metadata": SHOWN},
    ),
    "constant-that-a-loader-sets": (
        one_program(value_address(R1, ".rodata"), load(4, R0, R1), EXIT, maps=[TEXTS]),
        {"net.drop": SHOWN},
    ),
    "kernel-configuration": (
        one_program(
            symbol_address(R1, "CONFIG_HZ"),
            load(4, R0, R1),
            EXIT,
            externs=[Extern("CONFIG_HZ", "kconfig")],
        ),
        {"net.drop": SHOWN},
    ),
    "weak-extern": (
        one_program(
            symbol_address(R1, "bpf_task_from_pid"),
            jump_if_equal(R1, 0, 2),
            *leave(1),
            *leave(2),
            externs=[Extern("bpf_task_from_pid", "kfunc", is_weak=True)],
        ),
        {"net.drop": CERTAIN},
    ),
    # Memory that calls read and write.
    "format-on-the-stack": (
        one_program(
            mov(R2, 0x7325),  # "%s"
            store(8, R10, -8, R2),
            mov(R2, 0x1234),
            store(8, R10, -16, R2),
            *at(R1, -32),
            mov(R2, 8),
            *at(R3, -8),
            *at(R4, -16),
            mov(R5, 8),
            call(165),
            *leave(2),
        ),
        {"kernel.read_memory": CERTAIN, "user.read_memory": SHOWN},
    ),
    "format-chosen-while-running": (
        with_value(copy(R1, R6), mov(R2, 8), mov(R3, 7), call(6), *leave(2)),
        {"kernel.read_memory": SHOWN, "user.read_memory": SHOWN},
    ),
    "string-function-as-oracle": (
        with_value(load(8, R1, R6), kernel_call("bpf_strlen"), *leave(2)),
        {"kernel.read_memory": CERTAIN},
    ),
    "packet-written-through-a-dynptr": (
        one_program(
            mov(R2, 0),
            *at(R3, -16),
            kernel_call("bpf_dynptr_from_skb"),
            mov(R1, 0),
            *at(R2, -48),
            *at(R3, -16),
            mov(R4, 0),
            kernel_call("bpf_crypto_decrypt"),
            *leave(0),
            **TC,
        ),
        {"net.modify": CERTAIN},
    ),
    "packet-handed-to-a-helper": (
        one_program(
            load(4, R2, R1, 76),
            mov(R3, 12),
            mov(R4, -1),
            mov(R5, 0),
            call(84),
            *leave(0),
            **TC,
        ),
        {"net.read": CERTAIN},
    ),
    "map-value-filled-by-a-helper": (
        with_value(copy(R1, R7), mov(R2, 0), copy(R3, R6), mov(R4, 8), call(26), *leave(0), **TC),
        {"data.state": CERTAIN, "net.read": CERTAIN},
    ),
    "walk-through-typed-pointers": (
        one_program(call(158), load(8, R1, R0, 0), load(8, R1, R1, 0), *leave(2)),
        {"kernel.read_memory": CERTAIN},
    ),
    "number-cast-to-a-structure": (
        with_value(
            load(8, R1, R6), mov(R2, 1), kernel_call("bpf_rdonly_cast"), load(8, R1, R0), *leave(2)
        ),
        {"kernel.read_memory": CERTAIN},
    ),
    "kernel-variable": (
        one_program(
            symbol_address(R1, "runqueues"),
            load(8, R1, R1),
            *leave(2),
            externs=[Extern("runqueues", "kernel_variable")],
        ),
        {"kernel.kallsyms": CERTAIN, "kernel.read_memory": SHOWN},
    ),
    "kernel-pointer-in-a-map": (
        with_kernel_pointer(),
        {"kernel.read_memory": SHOWN},
    ),
    "packet-read-as-kernel-memory": (
        one_program(
            *at(R1, -8),
            mov(R2, 8),
            mov(R3, 4711),
            call(113),
            load(4, R0, R10, -8),
            EXIT,
            **TC,
        ),
        {"kernel.read_memory": CERTAIN, "net.read": SHOWN},
    ),
    "load-that-is-an-atomic-operation": (
        one_program(call(158), Instruction(0xDB, R1, R0, 0, 0x100), *leave(2)),
        {"kernel.read_memory": CERTAIN},
    ),
    "packet-in-an-output-record": (
        one_program(
            load(4, R4, R1, 76),
            map_address(R2, "flows"),
            mov(R3, 0),
            mov(R5, 8),
            call(25),
            *leave(0),
            maps=[replace(FLOWS, map_type=4)],
            **TC,
        ),
        {"net.to_userspace": CERTAIN, "net.read": CERTAIN},
    ),
    "computed-number-of-packet-bytes": (
        one_program(
            copy(R6, R1),
            load(4, R3, R1, 0),
            Instruction(0x67, R3, 0, 0, 32),
            map_address(R2, "flows"),
            *at(R4, -8),
            mov(R5, 8),
            call(25),
            *leave(0),
            maps=[replace(FLOWS, map_type=4)],
            **TC,
        ),
        {"net.to_userspace": SHOWN},
    ),
    "memory-shared-with-an-application": (
        one_program(*leave(2), maps=[MapSpec("arena", 33, 0, 0, 1)]),
        {"data.input": CERTAIN},
    ),
    # Where pointers and values are kept.
    "verdict-spilled-in-parts": (
        one_program(
            mov(R2, 1),
            store(4, R10, -8, R2),
            mov(R2, 0),
            store(4, R10, -4, R2),
            load(8, R0, R10, -8),
            EXIT,
        ),
        {"net.drop": SHOWN},
    ),
    "packet-pointer-exchanged": (
        one_program(
            load(4, R2, R1, 0),
            store(8, R10, -8, R2),
            mov(R3, 0),
            Instruction(0xDB, R10, R3, -8, 0xE1),
            store(1, R3, 0, R2),
            *leave(2),
        ),
        {"net.modify": CERTAIN},
    ),
    "packet-pointer-compared-and-exchanged": (
        one_program(
            load(4, R2, R1, 0),
            store(8, R10, -8, R2),
            mov(R0, 0),
            mov(R3, 0),
            Instruction(0xDB, R10, R3, -8, 0xF1),
            store(1, R0, 0, R3),
            *leave(2),
        ),
        {"net.modify": CERTAIN},
    ),
    "load-widened-by-the-loader": (
        records(
            (2, OFFSET),
            listing=[
                load(4, R2, R1, 0),
                store(8, R10, -8, R2),
                load(4, R3, R10, -16),
                store(1, R3, 0, R2),
                *leave(2),
            ],
        ),
        {"net.modify": SHOWN},
    ),
    "packet-pointer-in-the-callers-stack": (
        one_program(
            load(4, R2, R1, 0),
            store(8, R10, -8, R2),
            *at(R1, -8),
            local("reads"),
            *leave(2),
            others=[function("reads", load(8, R2, R1), load(1, R0, R2), EXIT)],
        ),
        {"net.read": SHOWN},
    ),
    "code-in-a-callback": (
        one_program(
            copy(R3, R1),
            mov(R1, 4),
            function_address(R2, "step"),
            mov(R4, 0),
            call(181),
            *leave(2),
            others=[function("step", mov(R1, 9), call(109), *leave(0))],
        ),
        {"proc.signal": CERTAIN},
    ),
    "long-jump-over-what-looks-harmless": (
        one_program(Instruction(0x06, 0, 0, 0, 2), *leave(2), mov(R1, 9), call(109), *leave(2)),
        {"proc.signal": CERTAIN},
    ),
    "callback-out-of-sight": (
        with_value(
            function_address(R2, "step"),
            store(8, R6, 0, R2),
            *leave(2),
            others=[function("step", mov(R1, 9), call(109), *leave(0))],
        ),
        {"proc.signal": CERTAIN, "net.drop": "possible"},
    ),
    "code-in-a-timer": (
        with_value(
            copy(R1, R6),
            function_address(R2, "later"),
            call(170),
            *leave(2),
            others=[function("later", mov(R1, 9), call(109), *leave(0))],
        ),
        {"proc.signal": CERTAIN, "exec.deferred": CERTAIN},
    ),
    # Verdicts that do not look like one.
    "verdict-thrown": (
        one_program(mov(R1, 1), kernel_call("bpf_throw"), *leave(2)),
        {"net.drop": CERTAIN},
    ),
    "verdict-made-of-what-is-thrown": (with_exception_callback(), {"net.drop": CERTAIN}),
    "packet-said-to-be-for-another-host": (
        one_program(mov(R2, 3), call(32), *leave(0), **TC),
        {"net.drop": CERTAIN},
    ),
    "redirect-that-fails": (
        one_program(mov(R1, 1), mov(R2, 0x40), call(23), EXIT, **TC),
        {"net.drop": SHOWN},
    ),
    "copies-to-every-interface": (
        one_program(
            map_address(R1, "devices"), mov(R2, 0), mov(R3, 8), call(51), EXIT, maps=[DEVICES]
        ),
        {"net.mirror": CERTAIN},
    ),
    "header-written-in-front": (
        one_program(
            copy(R6, R1), mov(R2, -20), call(44), load(4, R1, R6, 0), store(4, R1, 0, R2), *leave(2)
        ),
        {"net.encap": CERTAIN},
    ),
    "privileged-bind": (
        one_program(
            *leave(3),
            program_type="CGROUP_SOCK_ADDR",
            attach_type="CGROUP_INET4_BIND",
            section="cgroup/bind4",
        ),
        {"net.privileged_bind": CERTAIN},
    ),
    "lookup-that-refuses": (
        one_program(*leave(0), program_type="SK_LOOKUP", section="sk_lookup"),
        {"net.block_socket": CERTAIN},
    ),
    "error-set-beside-the-verdict": (
        one_program(
            mov(R1, -1),
            call(187),
            *leave(1),
            program_type="CGROUP_SOCK_ADDR",
            attach_type="CGROUP_INET4_CONNECT",
            section="cgroup/connect4",
        ),
        {"net.block_socket": CERTAIN},
    ),
    "denial-on-one-path": (
        one_program(
            load(8, R0, R1, 0),
            jump_if_equal(R0, 0, 2),
            *leave(-1),
            EXIT,
            program_type="LSM",
            attach_type="LSM_MAC",
            section="lsm/file_open",
        ),
        {"lsm.enforce": CERTAIN},
    ),
    "socket-put-into-a-map": (
        one_program(
            *at(R2, -4),
            copy(R3, R1),
            mov(R4, 0),
            map_address(R1, "sockets"),
            call(2),
            *leave(0),
            maps=[MapSpec("sockets", 15, 4, 8, 16)],
            **TC,
        ),
        {"net.steer": CERTAIN},
    ),
    # Places in the kernel.
    "writable-raw-tracepoint": (
        one_program(
            load(8, R6, R1, 0),
            mov(R2, 1),
            store(8, R6, 0, R2),
            *leave(0),
            program_type="RAW_TRACEPOINT_WRITABLE",
            section="raw_tp.w/x",
        ),
        {"kernel.write_memory": CERTAIN},
    ),
    "operations-without-a-program": (fixture("only_struct_ops"), {"sched.ext": CERTAIN}),
    "system-call-under-another-name": (
        one_program(*leave(0), program_type="KPROBE", section="kprobe/do_syscall_64"),
        {"trace.syscalls": CERTAIN},
    ),
    "list-of-processes": (
        one_program(
            *leave(0), program_type="TRACING", attach_type="TRACE_ITER", section="iter/task"
        ),
        {"proc.list": CERTAIN},
    ),
    # Code that is elsewhere.
    "tail-call": (
        one_program(
            map_address(R2, "flows"),
            mov(R3, 0),
            call(12),
            *leave(2),
            maps=[replace(FLOWS, map_type=3)],
        ),
        {"exec.tail_call": CERTAIN},
    ),
    "function-of-another-program": (
        one_program(*leave(1), program_type="EXT", section="freplace/x"),
        {"exec.replace": CERTAIN, "net.drop": SHOWN},
    ),
    "shared-map": (
        one_program(*leave(2), maps=[replace(FLOWS, pinning=1)]),
        {"data.shared_pinned": CERTAIN},
    ),
    "program-that-loads-programs": (
        one_program(call(166), *leave(0), program_type="SYSCALL", section="syscall"),
        {"bpf.syscall": CERTAIN},
    ),
    # What nobody knows.
    "helper-that-is-not-known": (one_program(call(9999), *leave(2)), {"unknown": CERTAIN}),
    "kernel-function-that-is-not-known": (
        one_program(kernel_call("bpf_quite_harmless"), *leave(2)),
        {"unknown": CERTAIN},
    ),
    "kernel-function-by-number": (
        one_program(Instruction(0x85, 0, 2, 0, 4711), *leave(2)),
        {"unknown": CERTAIN},
    ),
    "call-through-a-register": (
        one_program(mov(R1, 1), Instruction(0x8D, 0, 0, 0, 1), *leave(2)),
        {"unknown": CERTAIN},
    ),
    "program-type-that-is-not-known": (
        one_program(*leave(1), program_type=None, section="license_check"),
        {"unknown": CERTAIN},
    ),
    "map-type-that-is-not-known": (
        one_program(*leave(2), maps=[replace(FLOWS, map_type=999)]),
        {"unknown": CERTAIN},
    ),
    "too-much-to-follow": (
        one_program(*(add(R6, 1) for _ in range(65_000)), load(4, R1, R1, 0), *leave(2)),
        {"net.drop": "possible", "net.read": "possible", "net.modify": "possible"},
    ),
    # Addresses and paths.
    "packet-pointer-at-one-of-two-places": (
        one_program(
            load(4, R2, R1),
            load(4, R6, R1, 12),
            store(8, R10, -8, R2),
            store(8, R10, -16, R2),
            *either_place(R3),
            load(8, R4, R3),
            mov(R5, 1),
            store(1, R4, 0, R5),
            *leave(2),
        ),
        {"net.modify": SHOWN},
    ),
    "packet-pointer-less-nothing": (
        one_program(
            load(4, R2, R1),
            load(4, R6, R1, 12),
            mov(R3, 0),
            mov(R7, 0),
            jump_if_equal(R6, 0, 2),
            copy(R3, R10),
            mov(R7, 1),
            Instruction(0x1F, R2, R3),  # a number on the path that goes on, else a pointer
            jump_if_equal(R7, 1, 2),
            mov(R5, 1),
            store(1, R2, 0, R5),
            *leave(2),
        ),
        {"net.modify": SHOWN},
    ),
    "verdict-that-a-call-may-overwrite": (
        one_program(
            load(4, R6, R1, 12),
            mov(R2, 2),
            store(8, R10, -8, R2),
            store(8, R10, -16, R2),
            *either_place(R1),
            mov(R2, 8),
            call(16),
            load(8, R0, R10, -8),
            EXIT,
        ),
        {"net.drop": SHOWN},
    ),
    "address-beside-own-memory": (
        with_value(copy(R1, R6), add(R1, 4096), kernel_call("bpf_strlen"), *leave(2)),
        {"kernel.read_memory": SHOWN},
    ),
    "own-memory-or-any-address": (
        with_value(
            load(8, R1, R6),
            jump_if_equal(R1, 7, 1),
            copy(R1, R6),
            kernel_call("bpf_strlen"),
            *leave(2),
        ),
        {"kernel.read_memory": SHOWN},
    ),
    "format-that-is-very-long": (
        with_value(
            load(8, R1, R6),
            store(8, R10, -16, R1),
            *at(R1, -32),
            mov(R2, 8),
            value_address(R3, ".rodata"),
            *at(R4, -16),
            mov(R5, 8),
            call(165),
            *leave(2),
            maps=[FLOWS, replace(TEXTS, value_size=5006, data=b"x" * 5000 + b"%pks\0\0")],
        ),
        {"kernel.read_memory": SHOWN},
    ),
    "more-bits-than-the-helper-takes": (
        one_program(
            Instruction(0x18, R2, 0, 0, 3), Instruction(0, 0, 0, 0, 1), call(32), *leave(0), **TC
        ),
        {"net.drop": CERTAIN},
    ),
    "redirect-to-no-interface": (
        one_program(mov(R1, 0), mov(R2, 0), call(23), EXIT, **TC),
        {"net.drop": CERTAIN},
    ),
    "tunnel-written-by-a-call": (
        one_program(
            copy(R6, R1),
            mov(R2, -20),
            call(44),
            copy(R1, R6),
            mov(R2, 0),
            *at(R3, -24),
            mov(R4, 20),
            call(190),
            *leave(3),
        ),
        {"net.encap": CERTAIN},
    ),
    # Names.
    "names-that-lie": (
        one_program(
            copy(R6, R1),
            kernel_call("bpf_send_signal_task___counter"),
            *leave(1),
            section="xdp/pass",
        ),
        {"proc.signal": CERTAIN, "net.drop": CERTAIN},
    ),
    "other-byte-order": (
        replace(
            one_program(mov(R2, 1), store(4, R10, -8, R2), load(4, R0, R10, -8), EXIT),
            byteorder="big",
        ),
        {"net.drop": SHOWN},
    ),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_it_is_in_the_label(attempt: str) -> None:
    made, expected = ATTEMPTS[attempt]
    shown = {each.id: each.confidence for each in analyse(made).permissions}
    for permission, confidence in expected.items():
        assert permission in shown
        assert confidence in {SHOWN, shown[permission]}


_PROJECT = Path(__file__).parents[4]


def _rows() -> list[list[str]]:
    """Names in the last column of each row of the list, row by row."""
    page = (_PROJECT / "docs" / "explanation" / "labels.md").read_text(encoding="utf-8")
    page = page.partition("## How a publisher could try")[2]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    listed = [cells[2] for cells in rows if len(cells) == 3 and cells[2].startswith("`")]
    return [re.findall(r"`([^`]+)`", names) for names in listed]


def test_the_list_names_every_attempt_once() -> None:
    named = [name for names in _rows() for name in names if not name.startswith("test_")]
    assert sorted(named) == sorted(ATTEMPTS)


def test_the_list_names_tests_that_exist() -> None:
    tests = "".join(
        path.read_text(encoding="utf-8") for path in (_PROJECT / "tests").rglob("test_*.py")
    )
    missing = [
        name
        for names in _rows()
        for name in names
        if name.startswith("test_") and f"def {name}(" not in tests
    ]
    assert missing == []
