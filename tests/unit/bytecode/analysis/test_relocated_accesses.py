"""Offsets the loader changes: an object cannot hide behind those it was compiled with.

The attack: a structure of the author's own layout, over the context or the stack, with the name of
one of the kernel's. The loader puts the kernel's offset in; the analysis must not believe the
compiled one.
"""

from dataclasses import replace
from typing import Any

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R10,
    Listing,
    add,
    alu,
    confidence,
    flat,
    leave,
    load,
    mov,
    mov32,
    one_program,
    store,
    value_address,
    wide,
)
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.kinds import FIELD_KINDS, CoreKind
from skep.bytecode.objectfile.model import CoreRelocation, MapSpec


def report_of(
    listing: Listing,
    slot: int,
    root: str,
    member: str,
    offset: int,
    kind: int = CoreKind.FIELD_BYTE_OFFSET,
    **settings: object,
) -> AnalysisReport:
    """A program with a record at ``slot`` about a member that its author placed at ``offset``."""
    builder = BtfBuilder()
    number = builder.integer("unsigned int")
    type_id = builder.struct(root, 256, [(member, number, 8 * offset)])
    access = "0:0" if kind in FIELD_KINDS else "0"
    record = CoreRelocation("main", slot, type_id, root, access, kind)
    objects = one_program(*listing, **settings)  # type: ignore[arg-type]
    types = read_btf(builder.build(), "little")
    return analyse(replace(objects, types=types, core_relocations=(record,)))


TC: dict[str, Any] = {"program_type": "SCHED_CLS", "section": "tc"}


@pytest.mark.parametrize(
    ("root", "member", "offset", "expected"),
    [
        pytest.param("__sk_buff", "mark", 8, "declared", id="honest"),
        pytest.param("__sk_buff___flavour", "mark", 8, "declared", id="honest-flavour"),
        pytest.param("__sk_buff", "ifindex", 40, "excluded", id="another-field"),
        pytest.param("__sk_buff", "mark", 100, "possible", id="wrong-place"),
        pytest.param("__sk_buff", "ifindex", 8, "possible", id="wrong-name"),
        pytest.param("list_head", "prev", 100, "possible", id="foreign-structure"),
        pytest.param("iphdr", "ttl", 100, "possible", id="stable-but-foreign"),
    ],
)
def test_stores_to_the_context(root: str, member: str, offset: int, expected: str) -> None:
    listing: Listing = [mov(R2, 1), store(4, R1, offset, R2), leave(0)]
    report = report_of(listing, 1, root, member, offset, **TC)
    assert confidence(report, "net.metadata") == expected


@pytest.mark.parametrize(
    ("root", "member", "offset", "expected"),
    [
        pytest.param("xdp_md", "data", 0, "declared", id="honest"),
        # No kernel follows a number; if one did, we would not know where to.
        pytest.param("xdp_md", "ingress_ifindex", 12, "possible", id="another-field"),
        pytest.param("xdp_md", "data", 12, "declared", id="wrong-place"),
        pytest.param("callback_head", "next", 12, "declared", id="foreign-structure"),
    ],
)
def test_packets_reached_through_the_context(
    root: str, member: str, offset: int, expected: str
) -> None:
    listing: Listing = [load(4, R2, R1, offset), load(1, R3, R2), store(1, R2, 0, R3), leave(2)]
    report = report_of(listing, 0, root, member, offset)
    assert confidence(report, "net.read") == expected
    assert confidence(report, "net.modify") == expected


def test_pointers_kept_on_the_stack() -> None:
    # The packet is kept at -16; a load from -8 becomes one from there.
    listing: Listing = [
        load(4, R2, R1, 0),
        store(8, R10, -16, R2),
        mov(R3, 0),
        store(8, R10, -8, R3),
        load(8, R2, R10, -8),
        store(1, R2, 0, R3),
        leave(2),
    ]
    assert confidence(analyse(one_program(*listing)), "net.modify") == "excluded"
    assert confidence(report_of(listing, 4, "list_head", "prev", 0), "net.modify") == "declared"


def test_numbers_added_to_the_context() -> None:
    listing: Listing = [add(R1, 100), mov(R2, 1), store(4, R1, 0, R2), leave(0)]
    assert confidence(analyse(one_program(*listing, **TC)), "net.metadata") == "excluded"
    report = report_of(listing, 0, "list_head", "prev", 100, **TC)
    assert confidence(report, "net.metadata") == "possible"


def test_exit_values_that_are_changed() -> None:
    report = report_of([mov(R0, 0), add(R0, 2), EXIT], 1, "task_struct", "pid", 2)
    assert confidence(report, "net.drop") == "possible"


def test_structures_of_other_contexts_are_left_alone() -> None:
    listing: Listing = [load(8, R2, R1, 112), store(8, R2, 0, R2), leave(0)]
    settings: dict[str, Any] = {"program_type": "KPROBE", "section": "kprobe/f"}
    report = report_of(listing, 0, "pt_regs", "di", 112, **settings)
    assert confidence(report, "data.state") == "possible"  # a number is followed: by no kernel


FORMS = [
    pytest.param([mov(R0, 2), EXIT], 0, id="move"),
    pytest.param([mov32(R0, 2), EXIT], 0, id="half-a-move"),
    pytest.param([*wide(R0, 2), EXIT], 0, id="lddw"),
    pytest.param([mov(R0, 0), add(R0, 2), EXIT], 1, id="add"),
    pytest.param([mov(R0, 0), alu(0x44, R0, 2), EXIT], 1, id="half-an-or"),
    pytest.param([mov(R0, 1), alu(0x27, R0, 2), EXIT], 1, id="multiply"),
    pytest.param([mov(R0, 1), alu(0x67, R0, 1), EXIT], 1, id="shift"),
]


@pytest.mark.parametrize("kind", list(CoreKind))
@pytest.mark.parametrize(("listing", "slot"), FORMS)
def test_no_answer_of_a_kernel_is_believed_beforehand(
    listing: Listing, slot: int, kind: CoreKind
) -> None:
    assert confidence(analyse(one_program(*listing)), "net.drop") == "excluded"
    report = report_of(listing, slot, "task_struct", "pid", 2, kind)
    # Whether something exists is 0 or 1, and both are verdicts; other answers may be anything.
    assert confidence(report, "net.drop") in {"possible", "declared"}


@pytest.mark.parametrize("kind", list(CoreKind))
def test_a_verdict_kept_on_the_stack_is_not_safe_from_a_store_that_moves(kind: CoreKind) -> None:
    kept: Listing = [mov(R2, 2), store(8, R10, -8, R2), store(8, R10, -16, R2), mov(R3, 1)]
    listing: Listing = [*kept, store(8, R10, -16, R3), load(8, R0, R10, -8), EXIT]
    assert confidence(analyse(one_program(*listing)), "net.drop") == "excluded"
    assert confidence(report_of(listing, 4, "list_head", "prev", 0, kind), "net.drop") == "possible"


@pytest.mark.parametrize("kind", list(CoreKind))
def test_a_constant_stored_to_the_stack_may_land_elsewhere(kind: CoreKind) -> None:
    kept: Listing = [mov(R2, 2), store(8, R10, -8, R2)]
    constant = Instruction(0x7A, R10, 0, -16, 1)
    listing: Listing = [*kept, constant, load(8, R0, R10, -8), EXIT]
    assert confidence(report_of(listing, 2, "list_head", "prev", 0, kind), "net.drop") == "possible"


@pytest.mark.parametrize(
    ("base", "permission"),
    [
        pytest.param([load(4, R2, R1, 0)], "net.modify", id="packet"),
        pytest.param([value_address(R2, ".bss")], "data.state", id="map-value"),
    ],
)
def test_a_store_that_moves_is_one_to_the_same_memory(base: Listing, permission: str) -> None:
    data = MapSpec(".bss", 2, 4, 64, 1, data=bytes(64), origin="data")
    listing: Listing = [*base, mov(R3, 1), store(1, R2, 4, R3), leave(2)]
    slot = len(flat(base)) + 1 + (permission == "data.state")
    report = report_of(listing, slot, "list_head", "prev", 4, maps=[data])
    assert confidence(report, permission) == "declared"


def test_bytes_turned_by_a_width_that_changes() -> None:
    # The attack: a record on a byte swap, whose immediate is the number of bits.
    swap = Instruction(0xD4, R0, 0, 0, 16)
    listing: Listing = [*wide(R0, 0x1_0000_0002), swap, alu(0x77, R0, 32), EXIT]
    report = report_of(listing, 2, "task_struct", "pid", 16)
    assert confidence(report, "net.drop") == "possible"
