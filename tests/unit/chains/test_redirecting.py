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
XDP, SCHED_CLS = 6, 3
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
