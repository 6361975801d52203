"""Which stack slots are cleared for a member: those it may read before it certainly wrote them."""

import pytest
from tests.builders.compiled import bundled_plan
from tests.builders.kernel_programs import PERCPU_ARRAY, array, counting
from tests.builders.members import member

from skep.bytecode.isa.codes import LDDW, PSEUDO_MAP_INDEX
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import MapPlan
from skep.chains.member import Member
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
