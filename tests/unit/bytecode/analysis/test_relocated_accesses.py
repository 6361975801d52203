"""Offsets the loader changes: an object cannot hide behind those it was compiled with.

The attack: a structure of the author's own layout, over the context or the stack, with the name of
one of the kernel's. The loader puts the kernel's offset in; the analysis must not believe the
compiled one.
"""

from dataclasses import replace

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
    confidence,
    leave,
    load,
    mov,
    one_program,
    store,
)
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.table import read_btf
from skep.bytecode.objectfile.model import CoreRelocation


def report_of(
    listing: Listing, slot: int, root: str, member: str, offset: int, **settings: object
) -> AnalysisReport:
    """A program with a record at ``slot`` about a member that its author placed at ``offset``."""
    builder = BtfBuilder()
    number = builder.integer("unsigned int")
    type_id = builder.struct(root, 256, [(member, number, 8 * offset)])
    record = CoreRelocation("main", slot, type_id, root, "0:0", 0)
    objects = one_program(*listing, **settings)  # type: ignore[arg-type]
    types = read_btf(builder.build(), "little")
    return analyse(replace(objects, types=types, core_relocations=(record,)))


TC: dict[str, object] = {"program_type": "SCHED_CLS", "section": "tc"}


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
    assert confidence(analyse(one_program(*listing, **TC)), "net.metadata") == "excluded"  # type: ignore[arg-type]
    report = report_of(listing, 0, "list_head", "prev", 100, **TC)
    assert confidence(report, "net.metadata") == "possible"


def test_exit_values_that_are_changed() -> None:
    report = report_of([mov(R0, 0), add(R0, 2), EXIT], 1, "task_struct", "pid", 2)
    assert confidence(report, "net.drop") == "possible"


def test_structures_of_other_contexts_are_left_alone() -> None:
    listing: Listing = [load(8, R2, R1, 112), store(8, R2, 0, R2), leave(0)]
    settings: dict[str, object] = {"program_type": "KPROBE", "section": "kprobe/f"}
    report = report_of(listing, 0, "pt_regs", "di", 112, **settings)
    assert confidence(report, "data.state") == "excluded"
