"""Splicing by its output: where everything goes, and what is refused with which reason."""

from dataclasses import replace

import pytest
from tests.builders.kernel_programs import array, counting, returning
from tests.builders.members import member

from skep.bytecode.isa.codes import (
    MOST_INSTRUCTIONS,
    PSEUDO_BTF_ID,
    PSEUDO_FUNCTION,
    PSEUDO_MAP_FD,
    PSEUDO_MAP_INDEX,
    PSEUDO_MAP_INDEX_VALUE,
    PSEUDO_MAP_VALUE,
)
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import LinePlace
from skep.chains import splicing
from skep.chains.member import CannotSplice, MapReference, Member, SplicedChain
from skep.chains.splicing import CHAIN_NAME, GPL_COMPATIBLE, combined_licence, splice
from skep.errors import Refused

MOV_W0, EXIT, JA, JEQ32, CALL, LDDW = 0xB4, 0x95, 0x05, 0x16, 0x85, 0x18
FRAGS, SLEEPABLE, DEVICE_BOUND = 1 << 5, 1 << 4, 1 << 6


def member_at(chain: SplicedChain, slot: int) -> str | None:
    place = chain.place_of(slot)
    return None if place is None else place.member


def returns(code: int) -> tuple[Slot, ...]:
    return (Slot(MOV_W0, 0, 0, 0, code), Slot(EXIT))


def calls(first_slot: int, slot: int) -> Slot:
    return Slot(CALL, 0, 1, 0, first_slot - slot - 1)


def map_load(index: int, source: int = PSEUDO_MAP_INDEX, second: int = 0) -> tuple[Slot, Slot]:
    return Slot(LDDW, 1, source, 0, index), Slot(0, 0, 0, 0, second)


def test_two_members_become_one_program_with_a_seam() -> None:
    chain = splice([member("a", returns(2)), member("b", returns(1))])
    assert chain.program.instructions == (
        Slot(0x7B, 10, 1, -8),  # *(u64 *)(r10 - 8) = r1
        Slot(MOV_W0, 0, 0, 0, 2),
        Slot(JA),  # was exit; the seam is the next slot
        Slot(JEQ32, 0, 0, 1, 2),  # if w0 == 2 goto +1
        Slot(EXIT),
        Slot(0x79, 1, 10, -8),  # r1 = *(u64 *)(r10 - 8)
        Slot(MOV_W0, 0, 0, 0, 1),
        Slot(EXIT),
    )
    assert chain.program.name == CHAIN_NAME
    assert chain.ranges == (range(1, 3), range(6, 8))
    assert [member_at(chain, slot) for slot in range(9)] == [
        *(None, "a", "a", None, None, None, "b", "b", None)
    ]


def test_a_chain_of_one_member_is_its_program_unchanged() -> None:
    alone = member("a", counting(2), maps=[array()], stack_bytes=512, flags=FRAGS, run_on=[])
    chain = splice([alone])
    assert chain.program is alone.program
    assert chain.maps == (MapReference("a", "counts"),)
    assert chain.ranges == (range(len(alone.program.instructions)),)


def test_even_one_with_callbacks() -> None:
    callback = [*map_load(4, PSEUDO_FUNCTION), *returns(2)]
    assert splice([member("a", callback)]).program.instructions == tuple(callback)


def test_every_code_that_goes_on_has_its_comparison() -> None:
    chain = splice([member("a", run_on=[2, 0, 0xFFFFFFFF, -2]), member("b")])
    seam = chain.program.instructions[chain.ranges[0].stop : chain.ranges[1].start]
    assert seam == (
        Slot(JEQ32, 0, 0, 4, -2),
        Slot(JEQ32, 0, 0, 3, -1),
        Slot(JEQ32, 0, 0, 2, 0),
        Slot(JEQ32, 0, 0, 1, 2),
        Slot(EXIT),
        Slot(0x79, 1, 10, -8),
    )


@pytest.mark.parametrize("code", [-1, 0xFFFFFFFF])
def test_a_negative_code_is_compared_in_32_bits(code: int) -> None:
    """TC_ACT_UNSPEC is -1: ``w0`` holds it whichever way a program returned it."""
    members = [member("a", run_on=[code, 0], program_type=3), member("b", program_type=3)]
    chain = splice(members)
    seam = chain.program.instructions[chain.ranges[0].stop : chain.ranges[1].start]
    assert seam[:2] == (Slot(JEQ32, 0, 0, 2, -1), Slot(JEQ32, 0, 0, 1, 0))


def test_two_ways_to_write_a_code_are_one_comparison() -> None:
    chain = splice([member("a", run_on=[-1, 0xFFFFFFFF]), member("b")])
    seam = chain.program.instructions[chain.ranges[0].stop : chain.ranges[1].start]
    assert seam == (Slot(JEQ32, 0, 0, 1, -1), Slot(EXIT), Slot(0x79, 1, 10, -8))


def test_slots_that_a_member_may_read_before_it_wrote_them_are_cleared_where_it_begins() -> None:
    reads = (Slot(0x61, 0, 10, -4), Slot(0x61, 0, 10, -20), Slot(EXIT))
    members = [member("a", reads, stack_bytes=24), member("b"), member("c", reads, stack_bytes=24)]
    chain = splice(members)
    code = chain.program.instructions
    zeros = (Slot(0x7A, 10, 0, -24), Slot(0x7A, 10, 0, -8))
    assert code[:3] == (Slot(0x7B, 10, 1, -32), *zeros)
    assert chain.ranges[0] == range(3, 6)
    assert code[chain.ranges[2].start - 3 : chain.ranges[2].start] == (
        Slot(0x79, 1, 10, -32),
        *zeros,
    )
    assert sum(each in zeros for each in code) == 4  # none for "b"
    assert [member_at(chain, slot) for slot in range(4)] == [None, None, None, "a"]


def test_nothing_is_cleared_for_a_member_before_it_begins() -> None:
    reads = member("b", (Slot(0x61, 0, 10, -4), Slot(EXIT)), stack_bytes=8)
    code = splice([member("a"), reads]).program.instructions
    assert code[:2] == (Slot(0x7B, 10, 1, -16), Slot(0xB7, 0, 0, 0, 2))
    assert [slot for slot, each in enumerate(code) if each.opcode == 0x7A] == [6]


def test_every_exit_of_a_member_leads_to_its_seam_and_those_of_the_last_stay() -> None:
    body = [Slot(0x15, 1, 0, 2, 0), *returns(1), *map_load(7, 0), *returns(2)]
    chain = splice([member("a", body), member("b", body)])
    code = chain.program.instructions
    first, second = chain.ranges
    exits = [slot for slot in first if code[slot].opcode == JA]
    assert exits == [first.start + 2, first.start + 6]
    assert all(slot + 1 + code[slot].offset == first.stop for slot in exits)
    assert code[second.start : second.stop] == tuple(body)


def test_the_second_half_of_a_load_is_never_taken_for_an_exit() -> None:
    number = (Slot(LDDW, 3, 0, 0, EXIT), Slot(0, 0, 0, 0, EXIT))
    chain = splice([member("a", [*number, *returns(2)]), member("b")])
    assert chain.program.instructions[1:3] == number


def test_subprograms_come_once_behind_everything_and_calls_follow() -> None:
    # entry calls f and g, f calls g: three functions, exits everywhere
    def body() -> list[Slot]:
        return [calls(4, 0), calls(7, 1), *returns(2), calls(7, 4), *returns(5), *returns(6)]

    chain = splice(
        [
            member("a", body(), subprograms=(0, 4, 7)),
            member("b"),
            member("c", body(), subprograms=(0, 4, 7)),
        ]
    )
    code = chain.program.instructions
    assert [member_at(chain, slot) for slot in chain.program.subprograms] == [
        *(None, "a", "a", "c", "c")
    ]
    assert chain.program.subprograms == (0, 17, 20, 22, 25)
    for member_range, (f, g) in ((chain.ranges[0], (17, 20)), (chain.ranges[2], (22, 25))):
        start = member_range.start
        assert [start + 1 + code[start].immediate, start + 2 + code[start + 1].immediate] == [f, g]
        assert f + 1 + code[f].immediate == g
        assert code[f + 1 : f + 3] == returns(5)  # their exits return to the caller
        assert code[g : g + 2] == returns(6)


def test_helper_calls_and_kernel_functions_stay() -> None:
    calls_out = [Slot(CALL, 0, 0, 0, 5), Slot(CALL, 0, 2, 0, 4711), *returns(2)]
    chain = splice([member("a", calls_out, kernel_functions={1: "bpf_get"}), member("b")])
    assert chain.program.instructions[1:3] == tuple(calls_out[:2])


def test_map_indexes_count_the_maps_of_all_members() -> None:
    two = [*map_load(1), *map_load(0, PSEUDO_MAP_INDEX_VALUE, second=12), *returns(2)]
    maps = [array("x"), array("y")]
    chain = splice([member("a", two, maps=maps), member("b"), member("c", two, maps=maps)])
    assert chain.maps == (
        *(MapReference("a", "x"), MapReference("a", "y")),
        *(MapReference("c", "x"), MapReference("c", "y")),
    )
    loads = [each for each in chain.program.instructions if each.opcode == LDDW]
    assert [each.immediate for each in loads] == [1, 0, 3, 2]
    assert sum(each.immediate == 12 for each in chain.program.instructions) == 2


def test_other_wide_loads_stay() -> None:
    for load in (map_load(-1, 0, -1), map_load(99, PSEUDO_BTF_ID)):
        chain = splice([member("a", [*load, *returns(2)], maps=[array()]), member("b")])
        assert chain.program.instructions[1:3] == load


@pytest.mark.parametrize(
    ("depths", "slot"),
    [
        pytest.param((0, 0), -8, id="none"),
        pytest.param((1, 0), -16, id="rounded-up"),
        pytest.param((8, 16), -24, id="deepest"),
        pytest.param((504, 0), -512, id="all"),
        pytest.param((None, 0), -512, id="unknown"),
        pytest.param((497, None), -512, id="unknown-and-deep"),
    ],
)
def test_the_context_is_kept_below_every_members_stack(
    depths: tuple[int | None, int | None], slot: int
) -> None:
    chain = splice([member(str(n), stack_bytes=depth) for n, depth in enumerate(depths)])
    code = chain.program.instructions
    assert code[0] == Slot(0x7B, 10, 1, slot)
    assert code[chain.ranges[1].start - 1] == Slot(0x79, 1, 10, slot)


@pytest.mark.parametrize("depth", [505, 512, 513, 10**6, -1])
def test_too_deep_a_stack_is_refused_by_name(depth: int) -> None:
    with pytest.raises(CannotSplice, match=f"'deep' uses {depth} bytes") as caught:
        splice([member("a"), member("deep", stack_bytes=depth), member("c", stack_bytes=16)])
    assert isinstance(caught.value, Refused)


def test_the_frags_flag_stays_only_if_all_have_it() -> None:
    assert splice([member("a", flags=FRAGS), member("b", flags=FRAGS)]).program.flags == FRAGS
    assert splice([member("a", flags=FRAGS), member("b")]).program.flags == 0
    assert splice([member("a"), member("b", flags=FRAGS)]).program.flags == 0
    both = SLEEPABLE | FRAGS
    assert splice([member("a", flags=both), member("b", flags=SLEEPABLE)]).program.flags == (
        SLEEPABLE
    )


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["GPL", "GPL"], "GPL"),
        (["Dual MIT/GPL", "Dual MIT/GPL"], "Dual MIT/GPL"),
        (["Dual MIT/GPL", "Dual BSD/GPL"], "GPL"),
        (["GPL", "BSD"], "BSD"),
        (["Proprietary", "GPL"], "Proprietary"),
        (["Apache-2.0", "BSD"], "Apache-2.0"),
        (["GPL", ""], ""),
        (["GPL", "gpl"], "gpl"),
        (["GPL", "GPL "], "GPL "),
    ],
)
def test_the_licence_is_never_upgraded(licences: list[str], expected: str) -> None:
    members = [member(str(n), licence=text) for n, text in enumerate(licences)]
    assert splice(members).program.licence == combined_licence(licences) == expected
    assert (expected in GPL_COMPATIBLE) == all(text in GPL_COMPATIBLE for text in licences)


def test_type_and_attach_type_are_those_of_all() -> None:
    program = splice([member("a"), member("b")]).program
    assert (program.program_type, program.attach_type) == (6, 37)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        pytest.param(member("odd", program_type=3), "'odd' has program type 3", id="type"),
        pytest.param(member("odd", attach_type=46), "'odd' has attach type 46", id="attach-type"),
        pytest.param(member("odd", flags=DEVICE_BOUND), "'odd' has load flags 64", id="flags"),
        pytest.param(member("odd", flags=SLEEPABLE), "'odd' has load flags 16", id="sleepable"),
        pytest.param(member("odd", run_on=[]), "'odd' never continues", id="run-on"),
        pytest.param(member("odd", run_on=[2**32]), "'odd': a return code has 32", id="code"),
        pytest.param(member("odd", run_on=[-(2**31) - 1]), "'odd': a return code", id="low-code"),
        pytest.param(member("first"), "two members .* 'first'", id="same-name"),
        pytest.param(
            member("odd", [*map_load(3, PSEUDO_FUNCTION), *returns(2), *returns(0)]),
            "'odd' takes the address of a function at slot 0",
            id="callback",
        ),
        pytest.param(
            member("odd", [*map_load(3, PSEUDO_MAP_FD), *returns(2)]), "'odd'.*descriptor", id="fd"
        ),
        pytest.param(
            member("odd", [*map_load(3, PSEUDO_MAP_VALUE), *returns(2)]),
            "'odd'.*descriptor",
            id="value-fd",
        ),
        pytest.param(
            member("odd", [*map_load(1), *returns(2)], maps=[array()]),
            "'odd': slot 0 refers to map 1 of 1",
            id="map-index",
        ),
        pytest.param(
            member("odd", [*map_load(-1), *returns(2)], maps=[array()]),
            "'odd': slot 0 refers to map -1",
            id="negative-map-index",
        ),
        pytest.param(
            member("odd", [*returns(2), Slot(LDDW)]), "'odd': slot 2 begins a load", id="cut-load"
        ),
        pytest.param(
            member("odd", [Slot(LDDW), *returns(2)]), "'odd': slot 0 begins a load", id="half-load"
        ),
        pytest.param(
            member("odd", [Slot(0x0D, 1), *returns(2)]), "'odd' jumps through a table", id="gotox"
        ),
        pytest.param(
            member("odd", [Slot(0x20, 0, 0, 0, 12), *returns(2)]),
            "'odd' uses a legacy packet load at slot 0",
            id="ldabs",
        ),
        pytest.param(
            member("odd", [Slot(0x50, 0, 1, 0, 12), *returns(2)]), "'odd' uses a legacy", id="ldind"
        ),
        pytest.param(
            member("odd", [calls(1, 0), *returns(2)]),
            "'odd': slot 0 calls slot 1",
            id="inside",
        ),
        pytest.param(
            member("odd", [calls(-5, 0), *returns(2)]), "'odd': slot 0 calls slot -5", id="call-out"
        ),
        pytest.param(member("odd", []), "'odd': expected subprograms", id="empty"),
        pytest.param(member("odd", subprograms=()), "'odd': expected subprograms", id="none"),
        pytest.param(member("odd", subprograms=(1,)), "'odd': expected subprograms", id="not-at-0"),
        pytest.param(member("odd", subprograms=(0, 2)), "'odd': expected", id="past-the-end"),
        pytest.param(member("odd", subprograms=(0, 1, 1)), "'odd': expected", id="twice"),
    ],
)
def test_a_member_that_does_not_fit_is_refused_by_name(odd: Member, expected: str) -> None:
    with pytest.raises(CannotSplice, match=expected):
        splice([member("first"), odd, member("last")])


def test_a_last_member_that_never_goes_on_is_fine() -> None:
    assert splice([member("a"), member("b", run_on=[])]).program.instructions[-1] == Slot(EXIT)


def test_no_members_are_refused() -> None:
    with pytest.raises(CannotSplice, match="at least one"):
        splice([])


def test_an_exit_too_far_from_its_seam_is_refused() -> None:
    def long(slots: int) -> Member:
        return member(
            "long", [Slot(0x15, 1, 0, 2), *returns(1), *([Slot(0xB7)] * slots), *returns(2)]
        )

    farthest = 2**15 - 1
    reached = splice([long(farthest - 2), member("b")])
    assert reached.program.instructions[3] == Slot(JA, offset=farthest)
    with pytest.raises(CannotSplice, match="'long' is too long: its exit at slot 2"):
        splice([long(farthest - 1), member("b")])
    splice([member("b"), long(farthest - 1)])  # the last one's exits stay exits


def test_the_members_are_left_as_they_were() -> None:
    before = member("a", counting(2), maps=[array()], stack_bytes=8)
    splice([before, member("b", returning(1))])
    assert before == member("a", counting(2), maps=[array()], stack_bytes=8)


def test_licences_that_the_kernel_takes_for_gpl_are_these() -> None:
    """``license_is_gpl_compatible`` in include/linux/license.h of Linux 6.18."""
    assert {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    } == GPL_COMPATIBLE


def test_a_chain_has_at_most_as_many_instructions_as_a_verifier_walks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MOST_INSTRUCTIONS == 1_000_000
    members = [
        member("a", [calls(3, 0), *returns(2), *returns(3)], subprograms=(0, 3)),
        member("b"),
    ]
    count = len(splice(members).program.instructions)
    monkeypatch.setattr(splicing, "MOST_INSTRUCTIONS", count)
    splice(members)
    monkeypatch.setattr(splicing, "MOST_INSTRUCTIONS", count - 1)
    with pytest.raises(CannotSplice, match=f"{count - 1} instructions, this one has {count}"):
        splice(members)


def test_each_place_of_a_chain_is_that_of_its_member() -> None:
    entry, inner = [calls(3, 0), *returns(2)], [Slot(0xB7), *returns(3)]
    lines = {name: (LinePlace(0, index, 2, 3),) for index, name in enumerate("ab")}
    members = []
    for name in "ab":
        one = member(name, [*entry, *inner], subprograms=(0, 3))
        program = replace(one.program, lines=lines[name])
        members.append(replace(one, program=program))
    chain = splice(members)
    places = [chain.place_of(slot) for slot in range(len(chain.program.instructions))]
    assert [None if each is None else (each.member, each.slot) for each in places] == [
        None,  # keeps the context
        *(("a", 0), ("a", 1), ("a", 2)),
        *(None, None, None),  # the seam
        *(("b", 0), ("b", 1), ("b", 2)),
        *(("a", 3), ("a", 4), ("a", 5)),
        *(("b", 3), ("b", 4), ("b", 5)),
    ]
    assert all(each is None or each.lines == lines[each.member] for each in places)
    assert chain.place_of(len(places)) is chain.place_of(-1) is None
    assert chain.names == ("a", "b")
    assert chain.lines == (lines["a"], lines["b"])


def test_of_one_member_every_place_is_its_own() -> None:
    chain = splice([member("a", [calls(3, 0), *returns(2), *returns(3)], subprograms=(0, 3))])
    places = [chain.place_of(slot) for slot in range(6)]
    assert [each and (each.member, each.slot) for each in places] == [
        *(("a", slot) for slot in range(5)),
        None,
    ]
    assert (chain.ranges, chain.subprogram_ranges) == ((range(3),), (range(3, 5),))


def test_an_exit_in_the_first_slot_and_behind_wide_loads_leads_to_the_seam() -> None:
    only = splice([member("a", [Slot(EXIT)]), member("b")])
    assert only.program.instructions[1] == Slot(JA)
    wide = [*map_load(7, 0), *map_load(7, 0), Slot(EXIT), *map_load(7, 0), Slot(EXIT)]
    chain = splice([member("a", wide), member("b")])
    assert [chain.program.instructions[1 + slot] for slot in (4, 7)] == [
        Slot(JA, offset=3),
        Slot(JA),
    ]


def test_calls_and_loads_are_found_behind_wide_loads() -> None:
    body = [*map_load(0), calls(5, 2), *returns(2), *map_load(0), *returns(3)]
    one = member("a", body, maps=[array("x")], subprograms=(0, 5))
    chain = splice([member("first", maps=[array("y")]), one])
    code, start = chain.program.instructions, chain.ranges[1].start
    behind = chain.subprogram_ranges[1].start
    assert code[start].immediate == code[behind].immediate == 1
    assert start + 3 + code[start + 2].immediate == behind


@pytest.mark.parametrize("code", [-(2**31), 2**31, 2**32 - 1])
def test_a_return_code_of_32_bits_has_its_comparison(code: int) -> None:
    chain = splice([member("a", run_on=[code]), member("b")])
    signed = code - 2**32 if code >= 2**31 else code
    assert chain.program.instructions[3] == Slot(JEQ32, 0, 0, 1, signed)


def test_the_largest_code_below_the_sign_stays() -> None:
    chain = splice([member("a", run_on=[2**31 - 1]), member("b")])
    assert chain.program.instructions[3].immediate == 2**31 - 1


@pytest.mark.parametrize(
    ("members", "message", "hint"),
    [
        pytest.param(
            [member("a"), member("b", program_type=3)],
            "'b' has program type 3, the chain's first member 'a' has 6",
            "only programs made for the same hook can share a chain",
            id="type",
        ),
        pytest.param(
            [member("a"), member("b", flags=SLEEPABLE | FRAGS)],
            "'b' has load flags 16, the chain's first member 'a' has 0",
            "only programs made for the same hook can share a chain",
            id="flags",
        ),
        pytest.param(
            [member("a", run_on=[]), member("b"), member("c")],
            "'a' never continues to the next member, so 'b' after it would never run",
            "give 'a' a run_on, or make it the last",
            id="run-on",
        ),
        pytest.param(
            [member("a"), member("b", stack_bytes=505)],
            "'b' uses 505 bytes of stack; a chain leaves its members 504",
            "run it as the only program of its hook",
            id="stack",
        ),
        pytest.param(
            [member("a", subprograms=(0, 2)), member("b")],
            "'a': expected subprograms to start at ascending slots from 0 to 1, got (0, 2)",
            "",
            id="subprograms",
        ),
    ],
)
def test_a_refusal_names_the_reason_and_the_way_out(
    members: list[Member], message: str, hint: str
) -> None:
    with pytest.raises(CannotSplice) as caught:
        splice(members)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_return_code_too_many_is_told_of_the_member_that_has_it() -> None:
    with pytest.raises(CannotSplice, match="'a': a return code has 32 bits, run_on contains"):
        splice([member("a", run_on=[2, 2**32]), member("b")])
    splice([member("a"), member("b", run_on=[2**32])])  # of the last it means nothing
