"""What becomes of ``bpf_throw`` in a member: an exit, or a refusal that says why."""

from dataclasses import replace

import pytest
from tests.builders.members import member

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import FunctionType, KernelName, LinePlace, Poison
from skep.chains.member import CannotSplice, Member
from skep.chains.splicing import splice
from skep.chains.throwing import without_throws

EXIT, RETURN_COOKIE = Slot(0x95), Slot(0xBF, 0, 1)
THROW = Slot(0x85, 0, 2, 0, 4711)
PASS = (Slot(0xB7, 0, 0, 0, 2), EXIT)
COOKIE = Slot(0xB7, 1, 0, 0, 2)


def throwing(code: list[Slot], at: int, subprograms: tuple[int, ...] = (0,)) -> Member:
    return member("thrower", code, subprograms=subprograms, kernel_functions={at: "bpf_throw"})


def test_a_throw_becomes_a_jump_to_an_exit_with_its_cookie() -> None:
    made = without_throws(throwing([Slot(0x15, 1, 0, 2, 0), COOKIE, THROW, *PASS], 2))
    assert made.program.instructions == (
        Slot(0x15, 1, 0, 2, 0),
        COOKIE,
        Slot(0x06, 0, 0, 0, 2),  # gotol, which every kernel with bpf_throw has
        *PASS,
        RETURN_COOKIE,
        EXIT,
    )
    assert made.program.kernel_names == ()


def test_what_only_the_way_past_a_throw_reached_goes_and_jumps_follow() -> None:
    wide = (Slot(0x18, 3, 0, 0, 0x95), Slot(0, 0, 0, 0, 5))
    code = [
        Slot(0x15, 1, 0, 6, 0),  # to slot 7
        Slot(0x05, 0, 0, 2),  # to slot 4
        *PASS,  # reached by nothing from the start
        COOKIE,
        THROW,
        EXIT,  # reached past the throw only
        *wide,
        Slot(0x16, 3, 0, -9, 0),  # to slot 1
        *PASS,
    ]
    assert without_throws(throwing(code, 5)).program.instructions == (
        Slot(0x15, 1, 0, 3, 0),
        Slot(0x05),
        COOKIE,
        Slot(0x06, 0, 0, 0, 5),
        *wide,
        Slot(0x16, 3, 0, -6, 0),
        *PASS,
        RETURN_COOKIE,
        EXIT,
    )


def test_calls_into_subprograms_and_names_follow() -> None:
    entry = [Slot(0x15, 1, 0, 3, 0), COOKIE, THROW, EXIT, Slot(0x85, 0, 1, 0, 1), EXIT]
    inner = [Slot(0x85, 0, 2, 0, 12), *PASS]
    made = member(
        "thrower",
        [*entry, *inner],
        subprograms=(0, 6),
        kernel_functions={2: "bpf_throw", 6: "bpf_other"},
    )
    program = without_throws(made).program
    assert program.subprograms == (0, 7)
    assert program.instructions[3:7] == (Slot(0x85, 0, 1, 0, 3), EXIT, RETURN_COOKIE, EXIT)
    assert program.instructions[7:] == tuple(inner)
    assert program.kernel_names == (KernelName(7, "function", "bpf_other", 12),)


def test_in_a_chain_the_seam_decides_after_a_throw() -> None:
    thrower = throwing([Slot(0x15, 1, 0, 2, 0), COOKIE, THROW, *PASS], 2)
    chain = splice([thrower, member("next")])
    code, first = chain.program.instructions, chain.ranges[0]
    throw = first.start + 2
    cookie = throw + 1 + code[throw].immediate
    assert code[cookie] == RETURN_COOKIE
    assert cookie + 2 + code[cookie + 1].offset == first.stop  # where the seam begins
    assert THROW not in code


def test_the_last_member_ends_with_what_it_throws() -> None:
    chain = splice([member("first"), throwing([COOKIE, THROW, EXIT], 1)])
    own = chain.ranges[1]
    assert chain.program.instructions[own.start : own.stop] == (
        COOKIE,
        Slot(0x06),
        RETURN_COOKIE,
        EXIT,
    )


def test_a_member_that_throws_nowhere_is_left_as_it_was() -> None:
    plain = member("plain")
    assert without_throws(plain) is plain


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        pytest.param(
            throwing([Slot(0x85, 0, 1, 0, 1), EXIT, COOKIE, THROW, *PASS], 3, (0, 2)),
            r"'thrower' throws \(bpf_throw\) in a subprogram, at slot 3: that ends the whole",
            id="subprogram",
        ),
        pytest.param(
            member(
                "thrower",
                [COOKIE, THROW, EXIT],
                kernel_functions={1: "bpf_throw"},
                exception_callback="handle",
            ),
            "'thrower' throws, and its exception callback 'handle' sets the return value",
            id="callback",
        ),
        pytest.param(
            member("thrower", [COOKIE, THROW, EXIT]),
            "'thrower' calls a function of the kernel at slot 1 that its plan does not name",
            id="unnamed",
        ),
    ],
)
def test_other_throws_are_refused_in_company_and_taken_alone(odd: Member, expected: str) -> None:
    for company in ([odd, member("second")], [member("first"), odd]):
        with pytest.raises(CannotSplice, match=expected) as caught:
            splice(company)
        assert "only program of its hook" in caught.value.hint
    assert splice([odd]).program is odd.program


def test_a_name_for_another_number_names_nothing() -> None:
    odd = throwing([COOKIE, THROW, EXIT], 1)
    code = (COOKIE, THROW._replace(immediate=4712), EXIT)
    lying = replace(odd, program=replace(odd.program, instructions=code))
    with pytest.raises(CannotSplice, match="does not name"):
        splice([lying, member("b")])


def test_lines_follow_and_types_and_lacks_go() -> None:
    code = [Slot(0x15, 1, 0, 3, 0), COOKIE, THROW, EXIT, *PASS, *PASS]
    one = throwing(code, 2, (0, 6))
    lines = tuple(LinePlace(slot, 1, slot, slot) for slot in (0, 3, 4, 6))
    typed = replace(
        one.program, lines=lines, functions=(FunctionType(0, 1),), poisons=(Poison(0, "x", "y"),)
    )
    made = without_throws(replace(one, program=typed)).program
    # The exit behind the throw went; an exit of two slots came.
    assert [(each.slot, each.text) for each in made.lines] == [(0, 0), (3, 4), (7, 6)]
    assert (made.functions, made.poisons) == ((), ())
    assert made.subprograms == (0, 7)


def test_other_names_stay_and_follow() -> None:
    other = Slot(0x85, 0, 2, 0, 12)
    code = [other, Slot(0x15, 1, 0, 3, 0), COOKIE, THROW, EXIT, other, *PASS, other, *PASS]
    names = {0: "bpf_first", 3: "bpf_throw", 5: "bpf_other", 8: "bpf_last"}
    one = member("thrower", code, subprograms=(0, 8), kernel_functions=names)
    made = without_throws(one).program
    assert [(each.slot, each.name) for each in made.kernel_names] == [
        (0, "bpf_first"),
        (4, "bpf_other"),
        (9, "bpf_last"),
    ]
    assert [made.instructions[slot] for slot in (0, 4, 9)] == [other] * 3


def test_a_name_of_what_went_goes() -> None:
    other = Slot(0x85, 0, 2, 0, 12)
    one = member(
        "thrower", [COOKIE, THROW, other, EXIT], kernel_functions={1: "bpf_throw", 2: "bpf_other"}
    )
    made = without_throws(one).program
    assert made.kernel_names == ()
    assert made.instructions == (COOKIE, Slot(0x06), RETURN_COOKIE, EXIT)


def test_several_throws_share_an_exit() -> None:
    code = [Slot(0x15, 1, 0, 2, 0), COOKIE, THROW, COOKIE, THROW]
    names = {2: "bpf_throw", 4: "bpf_throw"}
    made = without_throws(member("thrower", code, kernel_functions=names)).program
    assert made.instructions == (
        *(Slot(0x15, 1, 0, 2, 0), COOKIE, Slot(0x06, 0, 0, 0, 2)),
        *(COOKIE, Slot(0x06), RETURN_COOKIE, EXIT),
    )


def test_far_jumps_follow_like_near_ones() -> None:
    far = Slot(0x06, 0, 0, 0, 3)
    code = [Slot(0x15, 1, 0, 1, 0), far, COOKIE, THROW, EXIT, *PASS]
    made = without_throws(throwing(code, 3)).program
    assert made.instructions[1] == Slot(0x06, 0, 0, 0, 2)
    assert made.instructions[4:6] == PASS


def test_numbers_that_look_like_jumps_and_calls_stay() -> None:
    for looks_like in (0x05, 0x06, 0x15, 0x85):
        wide = (Slot(0x18, 3, 0, 0, looks_like), Slot(0, 0, 0, 0, looks_like))
        twice = (*wide, *wide)
        code = [Slot(0x15, 1, 0, 3, 0), COOKIE, THROW, EXIT, *twice, *PASS]
        made = without_throws(throwing(code, 2)).program
        assert made.instructions[3:9] == (*twice, *PASS)


def test_functions_of_the_kernel_and_helpers_are_no_jumps() -> None:
    helper, other = Slot(0x85, 0, 0, 0, 5), Slot(0x85, 0, 2, 0, 12)
    code = [helper, other, COOKIE, THROW, EXIT]
    names = {1: "bpf_other", 3: "bpf_throw"}
    made = without_throws(member("thrower", code, kernel_functions=names)).program
    assert made.instructions[:2] == (helper, other)


def test_a_jump_out_of_the_function_is_refused() -> None:
    code = [Slot(0x15, 1, 0, 7, 0), COOKIE, THROW, EXIT]
    with pytest.raises(CannotSplice, match="'thrower' jumps out of its function at slot 0"):
        without_throws(throwing(code, 2))


def test_a_call_into_what_went_is_refused_by_the_splicer() -> None:
    code = [Slot(0x85, 0, 1, 0, 2), COOKIE, THROW, EXIT]
    with pytest.raises(CannotSplice, match="'thrower': slot 0 calls slot -1"):
        splice([throwing(code, 2), member("b")])


def test_a_throw_in_the_last_slot_of_the_entry_is_in_the_entry() -> None:
    code = [COOKIE, THROW, *PASS]
    assert without_throws(throwing(code, 1, (0, 2))).program.subprograms == (0, 4)
    with pytest.raises(CannotSplice, match="in a subprogram, at slot 2"):
        without_throws(throwing([*PASS, THROW, EXIT], 2, (0, 2)))


def test_a_throw_in_the_entry_excuses_none_in_a_subprogram() -> None:
    names = {1: "bpf_throw", 2: "bpf_throw"}
    odd = member("odd", [COOKIE, THROW, THROW, EXIT], subprograms=(0, 2), kernel_functions=names)
    with pytest.raises(CannotSplice, match="in a subprogram, at slot 2"):
        without_throws(odd)


def test_the_second_half_of_a_number_is_no_throw() -> None:
    wide = (Slot(0x18, 3, 0, 0, 1), Slot(0x85, 0, 2, 0, 4711))
    plain = member("plain", [*wide, *PASS])
    assert without_throws(plain) is plain
