"""Who leaves the target of a redirect behind, and who might send a packet there."""

from collections.abc import Iterable

import pytest
from tests.builders.kernel_programs import returning
from tests.builders.members import member

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.chains.member import CannotSplice, Member
from skep.chains.redirecting import RedirectUse, redirect_use
from skep.chains.splicing import splice

EXIT = Slot(0x95)
ABORTED, DROP, PASS, REDIRECT = 0, 1, 2, 4
XDP, SCHED_CLS, SCHED_ACT = 6, 3, 4
LOADED = Slot(0x61, 0, 1, 0)  # r0 = *(u32 *)(r1 + 0): any code
UNLESS = Slot(0x15, 1, 0, 0)  # if r1 == 0 goto +offset


def call(helper: int) -> Slot:
    return Slot(0x85, 0, 0, 0, helper)


def to(register: int, number: int) -> Slot:
    return Slot(0xB7, register, 0, 0, number)


REDIRECTED = (to(2, 0), call(23))  # bpf_redirect(r1, 0)


def mapped(failure: int) -> tuple[Slot, ...]:
    """``bpf_redirect_map(r1, r2, failure)``."""
    return (to(3, failure), call(51))


def use(*code: Slot, subprograms: tuple[int, ...] = (0,), kind: int = XDP) -> RedirectUse:
    return redirect_use(member("a", code, subprograms=subprograms, program_type=kind).program)


@pytest.mark.parametrize(
    ("code", "leaves"),
    [
        pytest.param(returning(PASS), set(), id="no-call"),
        pytest.param([LOADED, EXIT], set(), id="no-call-and-any-code"),
        pytest.param([*REDIRECTED, EXIT], {ABORTED, REDIRECT}, id="returned"),
        pytest.param([*mapped(PASS), EXIT], {ABORTED, PASS, REDIRECT}, id="or-else-pass"),
        pytest.param([*mapped(0), EXIT], {ABORTED, REDIRECT}, id="or-else-nothing"),
        pytest.param([call(51), EXIT], {0, 1, 2, 3, REDIRECT}, id="unknown-flags"),
        pytest.param([*REDIRECTED, *returning(PASS)], {PASS}, id="called-and-passed"),
        pytest.param([*REDIRECTED, Slot(0xB4, 0, 0, 0, -1), EXIT], {2**32 - 1}, id="negative"),
        pytest.param([*REDIRECTED, LOADED, EXIT], None, id="any-code"),
        pytest.param(
            [UNLESS._replace(offset=3), *REDIRECTED, EXIT, *returning(PASS)],
            {ABORTED, REDIRECT},
            id="passed-on-the-other-way",
        ),
        pytest.param(
            [UNLESS._replace(offset=2), *REDIRECTED, *returning(PASS)], {PASS}, id="one-of-two-ways"
        ),
        pytest.param(
            [*REDIRECTED, Slot(0x56, 0, 0, 1, REDIRECT), EXIT, *returning(PASS)],
            {PASS, REDIRECT},
            id="asked-in-32-bits",
        ),
        pytest.param([*REDIRECTED, Slot(0xBF, 6, 0), Slot(0xBF, 0, 6), EXIT], {0, 4}, id="moved"),
        pytest.param([*REDIRECTED, LOADED, Slot(0x57, 0, 0, 0, 1), EXIT], {0, 1}, id="masked"),
        pytest.param([call(12), *returning(PASS)], set(), id="tail-call"),
    ],
)
def test_a_target_is_left_behind_with_the_codes_after_a_call(
    code: Iterable[Slot], leaves: set[int] | None
) -> None:
    assert use(*code).leaves == (None if leaves is None else frozenset(leaves))


@pytest.mark.parametrize(
    ("code", "may_rely"),
    [
        pytest.param(returning(PASS), False, id="other-code"),
        pytest.param(returning(REDIRECT), True, id="code"),
        pytest.param([LOADED, EXIT], True, id="any-code"),
        pytest.param([*REDIRECTED, EXIT], False, id="returned"),
        pytest.param([*mapped(PASS), EXIT], False, id="or-else-pass"),
        pytest.param([*REDIRECTED, *returning(REDIRECT)], True, id="whether-it-failed-or-not"),
        pytest.param([call(155), EXIT], False, id="peer"),
        pytest.param([LOADED, Slot(0x26, 0, 0, 1, 3), EXIT, *returning(1)], False, id="at-most-3"),
        pytest.param([LOADED, Slot(0x35, 0, 0, 1, 4), EXIT, *returning(1)], False, id="below-4"),
        pytest.param([LOADED, Slot(0xA6, 0, 0, 1, 4), to(0, 1), EXIT], False, id="if-below-4"),
        pytest.param([LOADED, Slot(0xB6, 0, 0, 1, 4), to(0, 1), EXIT], True, id="if-up-to-4"),
        pytest.param([LOADED, Slot(0x66, 0, 0, 1, 3), EXIT, *returning(1)], True, id="signed"),
        pytest.param([LOADED, Slot(0x57, 0, 0, 0, 3), EXIT], False, id="masked"),
        pytest.param([LOADED, Slot(0x57, 0, 0, 0, 7), EXIT], True, id="masked-too-little"),
        pytest.param(
            # Bits above the lower 32 make it another number, and the same code.
            [LOADED, Slot(0x15, 0, 0, 1, REDIRECT), EXIT, *returning(1)],
            True,
            id="not-in-64-bits",
        ),
        pytest.param([call(12), *returning(PASS)], True, id="tail-call"),
        pytest.param([UNLESS._replace(offset=2), *REDIRECTED, EXIT], True, id="one-of-two-ways"),
    ],
)
def test_who_returns_the_code_without_a_call_that_succeeded_relies_on_others(
    code: Iterable[Slot], *, may_rely: bool
) -> None:
    assert use(*code).may_rely is may_rely


def test_calls_in_subprograms_count() -> None:
    entry = (Slot(0x85, 0, 1, 0, 1), EXIT)
    redirects = use(*entry, *REDIRECTED, EXIT, subprograms=(0, 2))
    assert redirects == RedirectUse(frozenset({ABORTED, REDIRECT}), may_rely=False)
    passes = use(entry[0]._replace(immediate=2), *returning(PASS), *REDIRECTED, EXIT,
                 subprograms=(0, 3))  # fmt: skip
    assert passes == RedirectUse(frozenset({PASS}), may_rely=False)
    relies = use(*entry, *returning(REDIRECT), subprograms=(0, 2))
    assert relies == RedirectUse(frozenset(), may_rely=True)


def test_a_tail_call_in_a_subprogram_comes_back_and_may_have_named_a_target() -> None:
    entry = (Slot(0x85, 0, 1, 0, 2), *returning(PASS))
    assert use(*entry, call(12), EXIT, subprograms=(0, 3)).leaves == frozenset({PASS})


def test_a_function_that_reaches_itself_may_do_anything() -> None:
    entry = (Slot(0x85, 0, 1, 0, 1), EXIT)
    forever = (Slot(0x85, 0, 1, 0, -1), EXIT)
    assert use(*entry, *forever, subprograms=(0, 2)) == RedirectUse(None, may_rely=True)


LEAVES = member("leaves", [*REDIRECTED, *returning(PASS)])
RELIES = member("relies", returning(REDIRECT))


def test_a_member_that_relies_is_refused_after_one_that_leaves() -> None:
    for members in (
        [LEAVES, RELIES],
        [member("first"), LEAVES, member("between"), RELIES, member("last")],
        [LEAVES, member("own", [*REDIRECTED, EXIT]), RELIES],
        [member("asks", [*mapped(PASS), EXIT]), member("relies", [LOADED, EXIT])],
    ):
        with pytest.raises(CannotSplice, match="and then go on; 'relies' after it may return"):
            splice(members)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([RELIES, LEAVES], id="before-it"),
        pytest.param([member("x", [*REDIRECTED, EXIT]), RELIES], id="redirects-for-good"),
        pytest.param([member("x", [*mapped(1), EXIT]), RELIES], id="drops-else"),
        pytest.param([LEAVES, member("x", [*mapped(PASS), EXIT])], id="own-call"),
        pytest.param([LEAVES, member("x")], id="never-redirects"),
        pytest.param(
            [member("x", [*REDIRECTED, *returning(DROP)]), member("y", returning(REDIRECT))],
            id="ends-the-chain",
        ),
        pytest.param(
            [
                member("x", [call(23), *returning(REDIRECT)], program_type=5),
                member("y", returning(REDIRECT), program_type=5),
            ],
            id="type-without-redirects",
        ),
    ],
)
def test_others_share_a_chain(members: list[Member]) -> None:
    assert splice(members).names == tuple(each.name for each in members)


def test_classifiers_have_another_code() -> None:
    leaves = member("a", [*REDIRECTED, *returning(-1)], run_on=[-1], program_type=SCHED_CLS)
    splice([leaves, member("b", returning(REDIRECT), program_type=SCHED_CLS)])
    for code in ([*returning(7)], [LOADED, EXIT]):
        with pytest.raises(CannotSplice, match="'a' may ask for a redirect"):
            splice([leaves, member("b", code, program_type=SCHED_CLS)])
    failed = use(call(155), EXIT, kind=SCHED_CLS)
    assert failed == RedirectUse(frozenset({2, 7}), may_rely=False)


# What the walk knows of numbers


@pytest.mark.parametrize(
    ("code", "may_rely"),
    [
        pytest.param([LOADED, Slot(0x57, 0, 0, 0, 15), EXIT], True, id="masked-to-16"),
        pytest.param([LOADED, Slot(0x57, 0, 0, 0, 0), EXIT], False, id="masked-to-none"),
        pytest.param([LOADED, Slot(0x54, 0, 0, 0, 3), EXIT], False, id="masked-in-32-bits"),
        pytest.param([LOADED, to(2, 3), Slot(0x5F, 0, 2), EXIT], False, id="masked-by-register"),
        pytest.param([LOADED, Slot(0x5F, 0, 2), EXIT], True, id="masked-by-anything"),
        pytest.param([to(0, PASS), Slot(0x07, 0, 0, 0, 0), EXIT], True, id="sum"),
        pytest.param([to(0, PASS), Slot(0xBF, 0, 0, 8), EXIT], True, id="sign-extended"),
        pytest.param([Slot(0xB4, 0, 0, 0, PASS), EXIT], False, id="moved-in-32-bits"),
        pytest.param([to(6, PASS), Slot(0xBC, 0, 6), EXIT], False, id="copied-in-32-bits"),
        pytest.param([to(0, PASS), LOADED, EXIT], True, id="loaded"),
        pytest.param([to(0, PASS), Slot(0x18, 0, 0, 0, 4), Slot(0), EXIT], True, id="wide"),
        pytest.param([to(0, PASS), Slot(0x18, 6, 0, 0, 4), Slot(0), EXIT], False, id="wide-other"),
        pytest.param([to(0, PASS), Slot(0x7B, 10, 0, -8), EXIT], False, id="stored"),
        pytest.param([to(0, PASS), Slot(0x7A, 10, 0, -8, 4), EXIT], False, id="stored-number"),
        pytest.param([to(0, PASS), Slot(0xDB, 10, 6, -8, 1), EXIT], True, id="atomic"),
        pytest.param(
            [to(0, PASS), Slot(0xBF, 6, 0), Slot(0xDB, 10, 6, -8, 1), Slot(0xBF, 0, 6), EXIT],
            True,
            id="fetched",
        ),
        pytest.param(
            [to(7, PASS), Slot(0xDB, 7, 6, -8, 1), Slot(0xBF, 0, 7), EXIT], True, id="acquired"
        ),
        pytest.param(
            [to(8, PASS), Slot(0xDB, 7, 6, -8, 1), Slot(0xBF, 0, 8), EXIT], False, id="beside"
        ),
        pytest.param([to(0, PASS), call(5), EXIT], True, id="result-of-a-call"),
    ],
)
def test_what_may_be_any_number_may_be_the_code(code: Iterable[Slot], *, may_rely: bool) -> None:
    assert use(*code).may_rely is may_rely


@pytest.mark.parametrize("register", range(1, 10))
def test_a_call_leaves_nothing_known_in_the_first_six_registers(register: int) -> None:
    for called in (call(5), call(23), Slot(0x85, 0, 2, 0, 7)):
        found = use(to(register, PASS), called, Slot(0xBF, 0, register), EXIT)
        assert found.may_rely is (register < 6)


@pytest.mark.parametrize(
    ("opcode", "number", "goes_on_with"),
    [
        # What r0 may be where the jump leads, of 0 to 7.
        (0x15, 3, {3}),
        (0x16, 3, {3}),
        (0x55, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x56, 3, {0, 1, 2, 4, 5, 6, 7}),
        (0xA5, 3, {0, 1, 2}),
        (0xA6, 3, {0, 1, 2}),
        (0xB5, 3, {0, 1, 2, 3}),
        (0xB6, 3, {0, 1, 2, 3}),
        (0xB5, 0, {0}),
        (0x25, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x35, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x65, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0xA5, 15, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x45, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x1D, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_a_comparison_narrows_what_a_register_may_be(
    opcode: int, number: int, goes_on_with: set[int]
) -> None:
    seven = (LOADED, Slot(0x57, 0, 0, 0, 7), *REDIRECTED_KEEPING_R0)
    jumped = (*seven, Slot(opcode, 0, 0, 2, number), to(0, 0), Slot(0x05, 0, 0, 0), EXIT)
    # Where it does not jump it returns 0, which is added.
    assert use(*jumped).leaves == frozenset(goes_on_with | {0})


@pytest.mark.parametrize(
    ("opcode", "number", "goes_on_with"),
    [
        (0x15, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0x16, 3, {0, 1, 2, 4, 5, 6, 7}),
        (0x55, 3, {3}),
        (0x56, 3, {3}),
        (0x25, 3, {0, 1, 2, 3}),
        (0x26, 0, {0}),
        (0x35, 3, {0, 1, 2}),
        (0x36, 1, {0}),
        (0xA5, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
        (0xB5, 3, {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_so_it_does_where_it_does_not_jump(
    opcode: int, number: int, goes_on_with: set[int]
) -> None:
    seven = (LOADED, Slot(0x57, 0, 0, 0, 7), *REDIRECTED_KEEPING_R0)
    fallen = (*seven, Slot(opcode, 0, 0, 1, number), EXIT, to(0, 0), EXIT)
    assert use(*fallen).leaves == frozenset(goes_on_with | {0})


REDIRECTED_KEEPING_R0 = (Slot(0xBF, 6, 0), *REDIRECTED, Slot(0xBF, 0, 6))


@pytest.mark.parametrize(
    ("opcode", "number"),
    [(0xA5, -1), (0xB5, -1), (0x25, -1), (0xA5, 16), (0xB5, 16), (0xB5, 15)],
)
def test_a_comparison_with_a_large_number_says_nothing_or_little(opcode: int, number: int) -> None:
    code = (LOADED, *REDIRECTED_KEEPING_R0, Slot(opcode, 0, 0, 2, number), to(0, 0), EXIT, EXIT)
    expected = frozenset(range(16)) if number == 15 else None
    assert use(*code).leaves == expected


def test_what_cannot_be_is_not_walked() -> None:
    never = (to(0, PASS), Slot(0x15, 0, 0, 1, 7), EXIT, *REDIRECTED, EXIT)
    assert use(*never).leaves == frozenset()
    for opcode, number in ((0x56, PASS), (0xA5, PASS), (0xB5, DROP)):
        never = (to(0, PASS), Slot(opcode, 0, 0, 1, number), EXIT, *REDIRECTED, EXIT)
        assert use(*never).leaves == frozenset()


def test_more_than_16_numbers_are_any() -> None:
    def either(count: int) -> RedirectUse:
        code = [LOADED, *REDIRECTED_KEEPING_R0]
        for number in range(10, 10 + count):
            code += [Slot(0x56, 0, 0, 1, number), EXIT]
        return use(*code, *returning(10))

    assert either(16).leaves == frozenset(range(10, 26))
    assert either(17).leaves is None


# Helpers and targets


@pytest.mark.parametrize("helper", [23, 51, 152, 155])
def test_each_helper_that_redirects_names_a_target(helper: int) -> None:
    found = use(to(3, 0), call(helper), EXIT)
    assert found == RedirectUse(frozenset({ABORTED, REDIRECT}), may_rely=False)
    classifier = use(to(3, 0), call(helper), EXIT, kind=SCHED_CLS)
    failed = {0} if helper == 51 else {2}
    assert classifier == RedirectUse(frozenset({7, *failed}), may_rely=False)


def test_actions_have_the_code_of_classifiers() -> None:
    found = use(*REDIRECTED, EXIT, kind=SCHED_ACT)
    assert found == RedirectUse(frozenset({2, 7}), may_rely=False)


def test_only_the_low_bits_of_the_flags_are_returned() -> None:
    assert use(*mapped(0b1101), EXIT).leaves == frozenset({0, 1, REDIRECT})
    assert use(*mapped(3), EXIT).leaves == frozenset({0, 3, REDIRECT})


def test_two_calls_leave_what_the_second_returned_or_did_not() -> None:
    found = use(*REDIRECTED, *mapped(PASS), EXIT)
    assert found == RedirectUse(frozenset({ABORTED, PASS, REDIRECT}), may_rely=False)


def test_other_helpers_and_functions_of_the_kernel_name_none() -> None:
    for other in (call(24), call(5), Slot(0x85, 0, 2, 0, 23), Slot(0x85, 0, 2, 0, 12)):
        assert use(other, *returning(PASS)) == RedirectUse(frozenset(), may_rely=False)


def test_a_member_that_only_calls_functions_of_the_kernel_names_no_target() -> None:
    names = {0: "bpf_some"}
    calls = member("a", [Slot(0x85, 0, 2, 0, 23), LOADED, EXIT], kernel_functions=names)
    assert splice([calls, RELIES]).names == ("a", "relies")


# Functions


def into(distance: int) -> Slot:
    return Slot(0x85, 0, 1, 0, distance)


def nested(depth: int) -> RedirectUse:
    """The entry calls a function, which calls a function, as deep as that; the last passes."""
    code: list[Slot] = []
    starts = []
    for _ in range(depth - 1):
        starts.append(len(code))
        code += [into(1), EXIT]
    starts.append(len(code))
    return use(*code, *returning(PASS), subprograms=tuple(starts))


def test_16_functions_deep_is_walked_and_more_is_anything() -> None:
    assert nested(1) == nested(16) == RedirectUse(frozenset(), may_rely=False)
    assert nested(17) == RedirectUse(None, may_rely=True)


def test_functions_before_it_make_a_function_no_less_deep() -> None:
    starts = [3, *range(5, 5 + 2 * 16, 2)]
    nest = [slot for _ in starts[2:] for slot in (into(1), EXIT)]
    code = [into(2), into(3), EXIT, *returning(PASS), *nest, *returning(PASS)]
    assert use(*code, subprograms=(0, *starts)) == RedirectUse(None, may_rely=True)
    shallow = [into(2), into(3), EXIT, *returning(PASS), *nest[2:], *returning(PASS)]
    assert use(*shallow, subprograms=(0, *starts[:-1])) == RedirectUse(frozenset(), may_rely=False)


def test_functions_one_after_another_are_not_deep() -> None:
    calls = [into(20 - number) for number in range(20)]
    code = [*calls, EXIT, *returning(PASS)]
    assert use(*code, subprograms=(0, 21)) == RedirectUse(frozenset(), may_rely=False)
    starts = tuple(21 + 2 * number for number in range(20))
    many = [into(starts[number] - number - 1) for number in range(20)]
    bodies = returning(PASS) * 20
    found = use(*many, EXIT, *bodies, subprograms=(0, *starts))
    assert found == RedirectUse(frozenset(), may_rely=False)


def test_a_call_to_where_no_function_begins_may_do_anything() -> None:
    assert use(into(0), *returning(PASS)).leaves == frozenset({PASS})
    assert use(into(0), EXIT, subprograms=(0,)) == RedirectUse(None, may_rely=True)


def test_what_a_function_left_behind_stays_left_behind_after_another() -> None:
    entry = (into(3), into(5), *returning(PASS))
    names = (*REDIRECTED, EXIT)
    code = (*entry, *names, *returning(DROP))
    assert use(*code, subprograms=(0, 4, 7)).leaves == frozenset({PASS})
    # And what it returned is what the caller has.
    code = (into(2), into(4), EXIT, *names, *returning(DROP))
    assert use(*code, subprograms=(0, 3, 6)).leaves == frozenset({DROP})


def test_after_a_function_that_names_a_target_or_returns_without_both_may_be() -> None:
    entry = (into(1), EXIT)
    inner = (UNLESS._replace(offset=3), *REDIRECTED, EXIT, *returning(REDIRECT))
    found = use(*entry, *inner, subprograms=(0, 2))
    assert found == RedirectUse(frozenset({ABORTED, REDIRECT}), may_rely=True)


def test_behind_a_function_that_never_returns_nothing_runs() -> None:
    entry = (into(2), *REDIRECTED, EXIT)
    assert use(*entry[:1], *returning(REDIRECT), Slot(0x05, 0, 0, -1), subprograms=(0, 3)) == (
        RedirectUse(frozenset(), may_rely=False)
    )


def test_registers_of_the_caller_survive_a_function() -> None:
    entry = (to(6, PASS), into(2), Slot(0xBF, 0, 6), EXIT)
    assert not use(*entry, *returning(REDIRECT), subprograms=(0, 4)).may_rely
    entry = (to(5, PASS), into(2), Slot(0xBF, 0, 5), EXIT)
    assert use(*entry, *returning(PASS), subprograms=(0, 4)).may_rely


def test_a_tail_call_in_the_entry_ends_the_chain_and_in_a_function_only_that() -> None:
    assert use(*REDIRECTED, call(12), *returning(PASS)) == RedirectUse(
        frozenset({PASS}), may_rely=True
    )
    inner = (call(12), *returning(DROP))
    found = use(into(1), EXIT, *inner, subprograms=(0, 2))
    assert found == RedirectUse(None, may_rely=True)


def test_a_member_is_left_only_with_codes_it_goes_on_with() -> None:
    leaves = RedirectUse(frozenset({PASS, 2**32 - 1}))
    assert leaves.leaves_on(frozenset({-1})) is True
    assert leaves.leaves_on(frozenset({DROP})) is False
    assert leaves.leaves_on(frozenset()) is False
    anything = RedirectUse(None)
    assert anything.leaves_on(frozenset({DROP})) is True
    assert anything.leaves_on(frozenset()) is False
    assert RedirectUse() == RedirectUse(frozenset(), may_rely=False)


def test_a_refusal_names_who_left_first_and_who_could_go_before_it() -> None:
    with pytest.raises(CannotSplice) as caught:
        splice([member("zero"), LEAVES, member("again", [*REDIRECTED, *returning(PASS)]), RELIES])
    assert caught.value.message.startswith("'leaves' may ask for a redirect")
    assert caught.value.hint.startswith("put 'relies' before 'leaves'")


def test_a_member_that_may_name_a_target_and_is_last_is_looked_at_only_after_another() -> None:
    tail = member("tail", [call(12), *returning(PASS)])
    assert splice([member("first"), tail]).names == ("first", "tail")
    with pytest.raises(CannotSplice, match="'tail' after it may return"):
        splice([LEAVES, tail])
    in_function = member("deep", [into(2), *returning(PASS), call(12), EXIT], subprograms=(0, 3))
    with pytest.raises(CannotSplice, match="'deep' may ask for a redirect"):
        splice([in_function, RELIES])
