"""What becomes of ``bpf_throw`` in a member: an exit, or a refusal that says why."""

from dataclasses import replace

import pytest
from tests.builders.members import member

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import KernelName
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
