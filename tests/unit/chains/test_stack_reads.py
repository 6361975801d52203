"""Which stack slots are cleared for a member: those it may read before it certainly wrote them."""

from dataclasses import replace

import pytest
from tests.builders.compiled import bundled_plan
from tests.builders.kernel_programs import PERCPU_ARRAY, array, counting
from tests.builders.members import member

from skep.bytecode.isa.codes import LDDW, PSEUDO_MAP_INDEX
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import FunctionType, LinePlace, MapPlan, Poison
from skep.chains.member import CannotSplice, Member
from skep.chains.splicing import splice
from skep.chains.stack_reads import STORE_ZERO, unwritten_reads, with_cleared_subprograms

EXIT = Slot(0x95)
ALL_OF_32 = (-32, -24, -16, -8)


def address(register: int, offset: int) -> tuple[Slot, Slot]:
    return Slot(0xBF, register, 10), Slot(0x07, register, 0, 0, offset)


def call(helper: int) -> Slot:
    return Slot(0x85, 0, 0, 0, helper)


def number(register: int, value: int) -> Slot:
    return Slot(0xB7, register, 0, 0, value)


def map_load(index: int = 0) -> tuple[Slot, Slot]:
    return Slot(LDDW, 1, PSEUDO_MAP_INDEX, 0, index), Slot(0)


def reads(*code: Slot, depth: int | None = 32, maps: tuple[MapPlan, ...] = ()) -> tuple[int, ...]:
    return unwritten_reads(member("a", [*code, EXIT], stack_bytes=depth, maps=maps))


def store(offset: int, base: int = 10, size: int = 0x7A) -> Slot:
    return Slot(size, base, 0, offset, 1)


def load(offset: int, base: int = 10, size: int = 0x79) -> Slot:
    return Slot(size, 0, base, offset)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param([], (), id="nothing"),
        pytest.param([load(-8)], (-8,), id="load"),
        pytest.param([load(-13, size=0x71)], (-16,), id="byte"),
        pytest.param([load(-12)], (-16, -8), id="across-slots"),
        pytest.param([store(-8), load(-8)], (), id="written"),
        pytest.param([store(-8, size=0x62), load(-8)], (-8,), id="half-written"),
        pytest.param([store(-8, size=0x62), load(-8, size=0x61)], (), id="half-read"),
        pytest.param([load(-8), store(-8)], (-8,), id="written-later"),
        pytest.param([Slot(0x15, 1, 0, 1), store(-8), load(-8)], (-8,), id="written-on-one-way"),
        pytest.param(
            [Slot(0x15, 1, 0, 2), store(-8), Slot(0x05, 0, 0, 1), store(-8), load(-8)],
            (),
            id="written-on-both-ways",
        ),
        pytest.param([Slot(0x15, 1, 0, 1), load(-8), store(-8)], (-8,), id="read-on-one-way"),
        pytest.param(
            [Slot(0x05, 0, 0, 2), load(-8), store(-8), Slot(0x55, 1, 0, -3)], (-8,), id="loop"
        ),
        pytest.param([*address(2, -16), store(8, 2), load(-8)], (), id="written-by-address"),
        pytest.param([*address(2, -16), load(8, 2)], (-8,), id="read-by-address"),
        pytest.param([*address(2, -8), Slot(0x17, 2, 0, 0, 8), load(0, 2)], (-16,), id="minus"),
        pytest.param([*address(2, -16), Slot(0x0F, 2, 3), store(0, 2)], (), id="write-anywhere"),
        pytest.param([*address(2, -16), Slot(0x0F, 2, 3), load(0, 2)], ALL_OF_32, id="anywhere"),
        pytest.param([Slot(0x0F, 3, 10), load(0, 3)], ALL_OF_32, id="number-plus-address"),
        pytest.param(
            [number(3, -8), Slot(0x0F, 3, 10), load(0, 3)], (-8,), id="known-number-plus-address"
        ),
        pytest.param(
            [
                Slot(0x15, 1, 0, 3),
                *address(2, -8),
                Slot(0x05, 0, 0, 2),
                *address(2, -16),
                load(0, 2),
            ],
            ALL_OF_32,
            id="one-of-two-addresses",
        ),
        pytest.param([store(-8), Slot(0x7B, 10, 10, -16)], ALL_OF_32[:3], id="stored-address"),
        pytest.param([Slot(0x7B, 10, 1, -16)], (), id="stored-context"),
        pytest.param([Slot(0xDB, 10, 1, -8)], (-8,), id="atomic-add"),
        pytest.param([Slot(0xDB, 1, 10, -8, 0x100)], (-8,), id="load-acquire"),
        pytest.param([store(-8), Slot(0xDB, 10, 1, -8), load(-8)], (), id="atomic-on-written"),
        pytest.param([load(-40)], (), id="below-what-the-verifier-saw"),
        pytest.param([Slot(0x79, 0, 1, -8)], (), id="context"),
        pytest.param([Slot(0x71, 0, 10, -1), Slot(0x71, 0, 10, -2)], (-8,), id="twice"),
    ],
)
def test_loads(code: list[Slot], expected: tuple[int, ...]) -> None:
    assert reads(*code) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param([*address(2, -4), *map_load(), call(1)], (-8,), id="key"),
        pytest.param([store(-4, size=0x62), *address(2, -4), *map_load(), call(1)], (), id="given"),
        pytest.param(
            [store(-16, size=0x62), *address(2, -16), *map_load(), call(1)], (), id="no-more"
        ),
        pytest.param([*address(2, -16), call(1)], (-16, -8), id="no-map"),
        pytest.param(
            [store(-8, size=0x62), *address(2, -8), *address(3, -16), *map_load(), call(2)],
            (-16,),
            id="value",
        ),
        pytest.param(
            [store(-8, size=0x62), *address(2, -8), *address(3, -32), *map_load(1), call(2)],
            (-32, -24),
            id="rounded-value",
        ),
        pytest.param([*address(1, -32), number(2, 8), call(6)], (-32,), id="size"),
        pytest.param([*address(1, -32), Slot(0xBF, 2, 6), call(6)], ALL_OF_32, id="any-size"),
        pytest.param([*address(2, -8), number(1, 1), call(5)], (), id="not-an-argument"),
        pytest.param([*address(2, -8), call(9999)], (-8,), id="unknown-helper"),
        pytest.param([*address(2, -16), Slot(0x85, 0, 2, 0, 7)], (-16, -8), id="kernel-function"),
        pytest.param([*address(3, -32), number(4, 16), call(26), load(-24)], (), id="filled"),
        pytest.param([*address(3, -32), Slot(0xBF, 4, 6), call(26)], ALL_OF_32, id="part-filled"),
        pytest.param([*address(3, -32), number(4, 16), call(189)], (-32, -24), id="may-not-fill"),
        pytest.param([*address(2, -8), call(5), load(0, 2)], (), id="gone-after-a-call"),
        pytest.param([*address(6, -8), call(5), load(0, 6)], (-8,), id="kept-over-a-call"),
    ],
)
def test_calls(code: list[Slot], expected: tuple[int, ...]) -> None:
    maps = (array(), MapPlan("counts", PERCPU_ARRAY, 4, 12, 1))
    assert reads(*code, maps=maps) == expected


def test_a_subprogram_may_read_all_of_the_frame_it_is_given_an_address_of() -> None:
    code = [store(-8), *address(1, -8), Slot(0x85, 0, 1, 0, 1), EXIT, EXIT]
    given = member("a", code, subprograms=(0, 5), stack_bytes=24)
    assert unwritten_reads(given) == (-24, -16)
    code[2] = Slot(0xB7, 1)
    assert unwritten_reads(member("a", code, subprograms=(0, 5), stack_bytes=24)) == ()


def test_frames_of_subprograms_are_their_own() -> None:
    code = [Slot(0x85, 0, 1, 0, 1), EXIT, load(-8), EXIT]
    assert unwritten_reads(member("a", code, subprograms=(0, 2), stack_bytes=32)) == ()


def calling(distance: int) -> Slot:
    return Slot(0x85, 0, 1, 0, distance)


def test_subprograms_clear_what_they_may_read_and_calls_and_names_follow() -> None:
    entry = [calling(2), calling(4), EXIT]
    first = [load(-8), calling(1), EXIT]
    second = [load(-16), Slot(0x55, 0, 0, -2), Slot(0x85, 0, 2, 0, 7), EXIT]
    code = [*entry, *first, *second]
    given = member("a", code, subprograms=(0, 3, 6), kernel_functions={8: "bpf_other"})
    made = with_cleared_subprograms(given).program
    assert made.instructions == (
        *(calling(2), calling(5), EXIT),
        *(Slot(STORE_ZERO, 10, 0, -8), load(-8), calling(1), EXIT),
        *(Slot(STORE_ZERO, 10, 0, -16), *second),
    )
    assert made.subprograms == (0, 3, 7)
    assert [(each.slot, each.name) for each in made.kernel_names] == [(10, "bpf_other")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param([store(-24), *address(1, -8), Slot(0x85, 0, 1, 0, 1), EXIT], [-16, -8]),
        pytest.param([*address(2, -16), Slot(0x0F, 2, 3), load(0, 2), EXIT], [-16, -8]),
        pytest.param([store(-8), load(-8), EXIT], []),
    ],
    ids=["given-on", "anywhere", "written"],
)
def test_what_may_be_all_of_a_subprograms_frame_is_cleared_as_far_as_it_names_it(
    code: list[Slot], expected: list[int]
) -> None:
    whole = [calling(1), EXIT, *code, Slot(0xB7), EXIT]
    given = member("a", whole, subprograms=(0, 2, 2 + len(code)))
    made = with_cleared_subprograms(given)
    stores = [Slot(STORE_ZERO, 10, 0, offset) for offset in expected]
    assert list(made.program.instructions[2 : 2 + len(stores)]) == stores
    assert made.program.instructions[2 + len(stores)] == code[0]
    assert (made is given) is (not stores)


def test_of_an_unknown_depth_anything_may_be_read() -> None:
    assert reads(load(-504), depth=None) == (-504,)
    assert reads(load(-512), depth=None) == ()  # there the chain keeps the context
    exposed = reads(Slot(0x0F, 3, 10), load(0, 3), depth=None)
    assert exposed == tuple(range(-504, 0, 8))


def test_programs_as_compilers_write_them_need_nothing() -> None:
    assert unwritten_reads(member("a", counting(2), maps=[array()], stack_bytes=8)) == ()
    for name in ("ratelimiting", "port-filter"):
        plan = bundled_plan(name)
        for depth in (64, None):
            one = Member(name, plan.programs[0], plan.maps, frozenset({2}), depth)
            assert unwritten_reads(one) == ()


SIZES = {1: (0x71, 0x72), 2: (0x69, 0x6A), 4: (0x61, 0x62), 8: (0x79, 0x7A)}  # load and store


@pytest.mark.parametrize("size", SIZES)
def test_a_load_reads_as_many_bytes_as_it_says(size: int) -> None:
    opcode, _ = SIZES[size]
    assert reads(load(-16 - size, size=opcode)) == (-24,)
    assert reads(load(-15 - size, size=opcode)) == ((-16,) if size == 1 else (-24, -16))
    assert reads(load(-16, size=opcode)) == (-16,)
    assert reads(load(-17, size=opcode)) == ((-24,) if size == 1 else (-24, -16))


@pytest.mark.parametrize("size", SIZES)
def test_a_store_writes_as_many_bytes_as_it_says(size: int) -> None:
    byte, (_, number_store) = SIZES[1][0], SIZES[size]
    for opcode in (number_store, number_store | 1):  # of a number, of a register
        stored = Slot(opcode, 10, 1, -16, 1)
        assert reads(stored, *(load(-16 + at, size=byte) for at in range(size))) == ()
        assert reads(stored, load(-17, size=byte)) == (-24,)
        assert reads(stored, load(-16 + size, size=byte)) == ((-8,) if size == 8 else (-16,))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param([*address(2, -8), Slot(0x27, 2, 0, 0, 2), load(0, 2)], (), id="product"),
        pytest.param([*address(2, -8), Slot(0x1F, 2, 10), load(0, 2)], (), id="distance"),
        pytest.param([*address(2, -8), Slot(0x0F, 2, 10), load(0, 2)], (), id="sum"),
        pytest.param(
            [*address(2, -8), number(3, 8), Slot(0x1F, 2, 3), load(0, 2)], (-16,), id="difference"
        ),
        pytest.param(
            [*address(2, -8), number(3, -8), Slot(0x0F, 2, 3), load(0, 2)], (-16,), id="known-sum"
        ),
        pytest.param(
            [*address(2, -8), Slot(0x1F, 2, 3), load(0, 2)], ALL_OF_32, id="difference-of-unknown"
        ),
        pytest.param([number(3, 8), Slot(0x1F, 3, 10), load(0, 3)], (), id="number-minus-address"),
        pytest.param([Slot(0xBF, 2, 10, 8), load(-8, 2)], (), id="sign-extended"),
        pytest.param([*address(2, -8), Slot(0xBC, 2, 2), load(0, 2)], (), id="half-an-address"),
        pytest.param([*address(2, -8), Slot(0x04, 2, 0, 0, 0), load(0, 2)], (), id="short-sum"),
        pytest.param([*address(2, -8), *map_load(), Slot(0xBF, 2, 1), load(0, 2)], (), id="map"),
        pytest.param(
            [*address(1, -8), Slot(LDDW, 1, 0, 0, 5), Slot(0), load(0, 1)], (), id="wide-number"
        ),
        pytest.param(
            [store(-8), *address(2, -8), Slot(0x79, 2, 2, 0), load(-16, 2)], (), id="loaded"
        ),
        pytest.param([*address(2, -8), number(2, 5), load(0, 2)], (), id="overwritten"),
        pytest.param([*address(2, -16), Slot(0x0F, 2, 3), load(0, 2), store(-8)], ALL_OF_32,
                     id="anywhere-before-it-is-written"),
        pytest.param([store(-8), *address(2, -16), Slot(0x0F, 2, 3), load(0, 2)], ALL_OF_32[:3],
                     id="anywhere-but-what-is-written"),
        pytest.param(
            [*address(2, -16), Slot(0x0F, 2, 3), Slot(0x07, 2, 0, 0, 8), load(0, 2)],
            ALL_OF_32,
            id="anywhere-plus-number",
        ),
        pytest.param([load(-4, size=0x79)], (-8,), id="beyond-the-top"),
        pytest.param([load(8)], (), id="above-the-top"),
        pytest.param([load(-520), load(-516)], (), id="below-the-frame"),
        pytest.param([store(-520), load(-512)], (), id="stored-below-the-frame"),
    ],
)  # fmt: skip
def test_what_is_known_of_an_address(code: list[Slot], expected: tuple[int, ...]) -> None:
    assert reads(*code) == expected


@pytest.mark.parametrize("depth", [1, 7, 8])
def test_a_depth_is_rounded_up_to_whole_slots(depth: int) -> None:
    assert reads(load(-8), load(-16), depth=depth) == (-8,)
    assert reads(load(-8), depth=0) == ()


def test_a_frame_has_at_most_what_a_chain_leaves_its_members() -> None:
    everything = reads(Slot(0x0F, 3, 10), load(0, 3), depth=512)
    assert everything == tuple(range(-504, 0, 8))


ADD, ADD_AND_FETCH, EXCHANGE, COMPARE, ACQUIRE, RELEASE = 0, 0x01, 0xE1, 0xF1, 0x100, 0x110


@pytest.mark.parametrize(
    ("immediate", "is_kept"),
    [(ADD, True), (ADD_AND_FETCH, False), (EXCHANGE, False), (COMPARE, True), (RELEASE, True)],
)
def test_an_atomic_operation_that_fetches_leaves_something_else_in_its_register(
    immediate: int, *, is_kept: bool
) -> None:
    written = [store(-8), number(4, 16), Slot(0xDB, 10, 4, -8, immediate)]
    filled = [*address(3, -32), call(26), load(-24)]  # r4 bytes are written
    assert reads(*written, *filled) == (() if is_kept else (-32, -24, -16))


def test_compare_and_exchange_leaves_something_else_in_r0() -> None:
    code = [store(-8), *address(0, -16), Slot(0xDB, 10, 4, -8, COMPARE), load(0, 0)]
    assert reads(*code) == ()
    code[3] = Slot(0xDB, 10, 4, -8, ADD)
    assert reads(*code) == (-16,)


def test_a_load_acquire_leaves_something_else_in_its_register_and_writes_nothing() -> None:
    acquire = Slot(0xDB, 2, 10, -8, ACQUIRE)
    assert reads(store(-8), *address(2, -16), acquire, load(0, 2)) == ()
    assert reads(acquire, load(-8)) == (-8,)
    assert reads(*address(2, -16), Slot(0xDB, 3, 2, 0, ACQUIRE)) == (-16,)


def test_an_address_in_an_atomic_operation_is_given_away() -> None:
    code = [store(-8), *address(4, -16), Slot(0xDB, 10, 4, -8, EXCHANGE)]
    assert reads(*code) == ALL_OF_32[:3]


@pytest.mark.parametrize("register", range(10))
def test_a_call_leaves_nothing_in_the_first_six_registers(register: int) -> None:
    code = [*address(register, -8), call(5), load(0, register)]
    assert reads(*code) == (() if register < 6 else (-8,))


@pytest.mark.parametrize("helper", [1, 2, 3])
def test_helpers_read_the_key_of_the_map(helper: int) -> None:
    maps = (MapPlan("counts", PERCPU_ARRAY, 4, 8, 1),)
    given = [*address(2, -16), *map_load()]
    assert reads(*given, call(helper), maps=maps) == (-16,)
    assert reads(store(-16, size=0x62), *given, call(helper), maps=maps) == ()
    # Of an unknown map they may read all that is above.
    assert reads(store(-16, size=0x62), *given, call(helper)) == (-16, -8)


@pytest.mark.parametrize(
    ("kind", "is_rounded"), [(1, False), (2, False), (5, True), (6, True), (10, True), (21, True)]
)
def test_values_are_copied_in_whole_words_where_there_is_one_for_each_cpu(
    kind: int, *, is_rounded: bool
) -> None:
    maps = (MapPlan("counts", kind, 4, 12, 1),)
    written = [store(-8), *address(2, -8), Slot(0x7A, 10, 0, -32, 1), store(-24, size=0x62)]
    code = [*written, *address(3, -32), *map_load(), call(2)]
    assert reads(*code, maps=maps) == ((-24,) if is_rounded else ())


def test_a_value_of_whole_words_is_not_rounded() -> None:
    maps = (MapPlan("counts", PERCPU_ARRAY, 4, 8, 1),)
    code = [store(-8), *address(2, -8), *address(3, -32), *map_load(), call(2)]
    assert reads(*code, maps=maps) == (-32,)


def test_of_another_map_than_the_first_the_sizes_are_its_own() -> None:
    maps = (array(), MapPlan("keys", 1, 16, 8, 1))
    assert reads(*address(2, -24), *map_load(1), call(1), maps=maps) == (-24, -16)
    assert reads(*address(2, -24), *map_load(0), call(1), maps=maps) == (-24,)
    assert reads(*address(2, -24), *map_load(2), call(1), maps=maps) == (-24, -16, -8)


def test_a_function_of_the_kernel_does_not_read_a_key() -> None:
    code = [*address(2, -16), *map_load(), Slot(0x85, 0, 2, 0, 1)]
    assert reads(*code, maps=(array(),)) == (-16, -8)


@pytest.mark.parametrize(("helper", "register"), [(4, 1), (26, 3), (68, 3), (112, 1), (113, 1)])
def test_some_helpers_fill_what_they_are_given(helper: int, register: int) -> None:
    code = [*address(register, -32), number(register + 1, 16), call(helper)]
    assert reads(*code, load(-32), load(-24)) == ()
    assert reads(*code, load(-16)) == (-16,)


@pytest.mark.parametrize(
    ("size", "expected"), [(0, ()), (1, (-32,)), (9, (-32, -24)), (-1, ALL_OF_32)]
)
def test_a_size_beside_the_address_says_how_much_is_read(
    size: int, expected: tuple[int, ...]
) -> None:
    assert reads(*address(1, -32), number(2, size), call(6)) == expected
    short = Slot(0xB4, 2, 0, 0, size)  # in 32 bits, where there are no negative numbers
    more = ALL_OF_32 if size < 0 else expected
    assert reads(*address(1, -32), short, call(6)) == more


@pytest.mark.parametrize("helper", [164, 181])
def test_what_a_callback_is_given_may_be_read_from_everywhere(helper: int) -> None:
    assert reads(*address(3, -8), call(helper)) == ALL_OF_32


def test_an_unknown_address_given_to_a_helper_is_anywhere() -> None:
    assert reads(*address(2, -8), Slot(0x0F, 2, 3), call(1)) == ALL_OF_32


@pytest.mark.parametrize("helper", [5, 9999])
def test_of_a_helper_nobody_knows_all_five_arguments_count(helper: int) -> None:
    for register in range(1, 6):
        found = reads(*address(register, -8), call(helper))
        assert found == ((-8,) if helper == 9999 else ())
    assert reads(*address(6, -8), call(helper)) == ()


KERNEL_CALL = Slot(0x85, 0, 2, 0, 7)


def test_the_size_beside_an_address_counts_for_functions_of_the_kernel_too() -> None:
    code = [*address(2, -32), number(3, 8), KERNEL_CALL, EXIT]
    named = member("a", code, stack_bytes=32, kernel_functions={3: "bpf_ksock_connect"})
    assert unwritten_reads(named) == (-32,)
    # They may get another argument in the next kernel, so the other registers count as well.
    code[0:2] = address(5, -32)
    named = member("a", code, stack_bytes=32, kernel_functions={3: "bpf_ksock_connect"})
    assert unwritten_reads(named) == ALL_OF_32


def test_names_of_calls_in_subprograms_are_found_where_they_are() -> None:
    inner = [*address(2, -32), number(3, 8), KERNEL_CALL, EXIT]
    code = [calling(1), EXIT, *inner]
    names = {5: "bpf_ksock_connect"}
    given = member("a", code, subprograms=(0, 2), kernel_functions=names)
    made = with_cleared_subprograms(given).program
    assert made.instructions[2:4] == (Slot(STORE_ZERO, 10, 0, -32), inner[0])


def test_every_argument_that_may_hold_an_address_gives_the_frame_away() -> None:
    for register in range(10):
        code = [*address(register, -8), calling(1), EXIT, EXIT]
        given = member("a", code, subprograms=(0, 4), stack_bytes=16)
        expected = (-16, -8) if register in range(1, 6) else ()
        assert unwritten_reads(given) == expected


def test_a_subprogram_is_cleared_down_to_the_lowest_address_it_names() -> None:
    anywhere = [Slot(0xBF, 2, 10), Slot(0x0F, 2, 3), load(0, 2)]
    for lowest, first in ((-4, -8), (-8, -8), (-9, -16), (-512, -512), (-600, -512)):
        code = [calling(1), EXIT, store(lowest, size=0x72), *anywhere, EXIT]
        made = with_cleared_subprograms(member("a", code, subprograms=(0, 2))).program
        cleared = [each.offset for each in made.instructions[2:] if each.opcode == STORE_ZERO]
        assert cleared == list(range(first, 0, 8))


def test_of_a_cleared_member_lines_follow_and_types_and_lacks_go() -> None:
    code = [calling(1), EXIT, load(-8), EXIT]
    given = member("a", code, subprograms=(0, 2))
    lines = (LinePlace(0, 1, 2, 3), LinePlace(2, 1, 5, 6), LinePlace(3, 1, 8, 9))
    typed = replace(
        given.program, lines=lines, functions=(FunctionType(0, 1),), poisons=(Poison(0, "x", "y"),)
    )
    made = with_cleared_subprograms(replace(given, program=typed)).program
    assert [each.slot for each in made.lines] == [0, 3, 4]
    assert (made.functions, made.poisons) == ((), ())


def test_what_is_no_call_stays() -> None:
    wide = (Slot(LDDW, 3, 0, 0, 5), Slot(0, 0, 0, 0, 0x85))
    others = (*wide, Slot(0xBF, 2, 1, 0, 3), Slot(0x85, 0, 2, 0, 3), call(5))
    code = [*others, calling(1), EXIT, load(-8), EXIT]
    made = with_cleared_subprograms(member("a", code, subprograms=(0, 7))).program
    assert made.instructions[:7] == (*others, calling(1), EXIT)


def test_a_call_to_where_no_function_begins_is_still_refused() -> None:
    code = [calling(2), EXIT, load(-8), EXIT]
    odd = member("odd", code, subprograms=(0, 2))
    with pytest.raises(CannotSplice, match="'odd': slot 0 calls slot -1"):
        splice([odd, member("b")])
