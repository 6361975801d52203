"""Members that end a chain by surprise, see what others left or use it: shown, then stopped."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from tests.builders.kernel_programs import ARRAY, array, counting, key, number, program, returning
from tests.builders.loaded_objects import execute
from tests.builders.members import member
from tests.builders.packets import MACS, udp_frame
from tests.builders.throwing import IN_ENTRY, IN_SUBPROGRAM, WITH_CALLBACK, throwing_plan
from tests.builders.wires import GENERIC_MODE, address_pair, attach_without_link
from tests.kernel.conftest import Wire

from skep.bytecode.isa.codes import LDDW, PSEUDO_MAP_INDEX
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.chains.member import CannotSplice, Member
from skep.chains.splicing import splice
from skep.chains.throwing import without_throws
from skep.kernel.interfaces import ifindex
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.network import (
    create_namespace,
    create_veth,
    remove_interface,
    remove_namespace,
)
from skep.kernel.packets import open_packet_socket
from skep.kernel.running import test_run as run

pytestmark = pytest.mark.kernel

DROP, PASS, TX, REDIRECT = 1, 2, 3, 4
SCHED_CLS, TCX_INGRESS = 3, 46
LENGTHS = (30, 45, 70)  # IN_ENTRY throws 2, throws 1, returns 3
EXIT = Slot(0x95)


@contextmanager
def loaded(members: list[Member]) -> Iterator[tuple[LoadedProgram, list[LoadedMap]]]:
    with ExitStack() as stack:
        maps = [stack.enter_context(create_map(plan)) for each in members for plan in each.maps]
        yield stack.enter_context(load_program(splice(members).program, maps)), maps


def alone(plan: LoadPlan) -> list[int]:
    with execute(plan) as made:
        return [run(made.programs[0], bytes(length)).return_value for length in LENGTHS]


def thrower(body: str) -> Member:
    plan = throwing_plan(body)
    return Member("thrower", plan.programs[0], plan.maps, frozenset({PASS}), 0)


def counter(name: str = "counter", verdict: int = DROP) -> Member:
    return member(name, counting(verdict), maps=[array()], stack_bytes=8)


def test_a_throw_ends_a_whole_program_whatever_stands_behind_it() -> None:
    """The attack: what a chain would be if a throw stayed one."""
    throws = thrower(IN_ENTRY).program
    (first, *_) = throws.kernel_names
    code = (Slot(0xB7, 1, 0, 0, PASS), throws.instructions[first.slot], *counting(DROP))
    with ExitStack() as stack:
        counts = stack.enter_context(create_map(array()))
        whole = stack.enter_context(load_program(program("whole", *code, licence="GPL"), [counts]))
        assert run(whole, bytes(30)).return_value == PASS
        assert number(counts.lookup(key(0))) == 0


def test_in_a_chain_a_throw_ends_its_member_and_the_next_one_runs() -> None:
    assert alone(throwing_plan(IN_ENTRY)) == [PASS, DROP, TX]
    with loaded([thrower(IN_ENTRY), counter(verdict=TX)]) as (whole, maps):
        for length, expected in zip(LENGTHS, [(TX, 1), (DROP, 1), (TX, 1)], strict=True):
            verdict = run(whole, bytes(length)).return_value
            assert (verdict, number(maps[0].lookup(key(0)))) == expected
    with loaded([counter("first", PASS), thrower(IN_ENTRY)]) as (whole, _):
        assert [run(whole, bytes(length)).return_value for length in LENGTHS] == [PASS, DROP, TX]


def test_a_member_without_its_throws_does_what_it_did_with_them() -> None:
    plan = throwing_plan(IN_ENTRY)
    rewritten = without_throws(thrower(IN_ENTRY)).program
    assert alone(replace(plan, programs=(rewritten,))) == alone(plan)


def test_who_throws_in_a_subprogram_or_has_a_callback_runs_alone_only() -> None:
    for body, verdicts in ((IN_SUBPROGRAM, [PASS, TX, TX]), (WITH_CALLBACK, [TX, DROP, DROP])):
        assert alone(throwing_plan(body)) == verdicts
        assert splice([thrower(body)]).program == thrower(body).program
        with pytest.raises(CannotSplice, match="'thrower' throws"):
            splice([thrower(body), counter()])
        with pytest.raises(CannotSplice, match="'thrower' throws"):
            splice([counter("first", PASS), thrower(body)])


SECRET = 4711
LEAVES_SECRET = (Slot(0x7A, 10, 0, -8, SECRET), *returning(PASS))
READS_SLOT = (Slot(0x79, 0, 10, -8), EXIT)
GIVES_SLOT = (  # the value of its map becomes what is in the slot
    Slot(0x62, 10, 0, -16, 0),
    Slot(LDDW, 1, PSEUDO_MAP_INDEX, 0, 0),
    Slot(0),
    Slot(0xBF, 2, 10),
    Slot(0x07, 2, 0, 0, -16),
    Slot(0xBF, 3, 10),
    Slot(0x07, 3, 0, 0, -8),
    Slot(0xB7, 4),
    Slot(0x85, 0, 0, 0, 2),  # map_update_elem
    *returning(DROP),
)


def test_a_stack_slot_nobody_wrote_holds_what_was_written_before() -> None:
    """The attack: the kernel lets privileged programs read it."""
    with load_program(program("whole", LEAVES_SECRET[0], *READS_SLOT), []) as whole:
        assert run(whole, bytes(30)).return_value == SECRET


def test_a_member_finds_zero_where_the_one_before_it_left_a_secret() -> None:
    spy = member("spy", READS_SLOT, stack_bytes=8)
    leaves = member("leaves", LEAVES_SECRET, stack_bytes=8)
    with loaded([leaves, spy]) as (whole, _):
        assert run(whole, bytes(30)).return_value == 0
    with loaded([replace(spy, run_on=frozenset({0})), leaves]) as (whole, _):
        assert run(whole, bytes(30), repeat=3).return_value == PASS  # zero for each packet
    giving = member("spy", GIVES_SLOT, maps=[MapPlan("sink", ARRAY, 4, 8, 1)], stack_bytes=16)
    with loaded([leaves, giving]) as (whole, maps):
        assert run(whole, bytes(30)).return_value == DROP
        assert number(maps[0].lookup(key(0))) == 0


def test_subprograms_find_zero_where_those_of_others_left_a_secret() -> None:
    """Their frames are at the same place of the kernel's stack."""
    call = Slot(0x85, 0, 1, 0, 1)
    leaves = member(
        "leaves",
        (call._replace(immediate=2), *returning(PASS), LEAVES_SECRET[0], *returning(0)),
        subprograms=(0, 3),
    )
    spy = member("spy", (call, EXIT, *READS_SLOT), subprograms=(0, 2))
    with loaded([leaves, spy]) as (whole, _):
        assert run(whole, bytes(30)).return_value == 0


def asking(target: int) -> tuple[Slot, ...]:
    """``bpf_redirect(target, 0)``."""
    return (Slot(0xB7, 1, 0, 0, target), Slot(0xB7, 2), Slot(0x85, 0, 0, 0, 23))


@pytest.fixture
def other(wire: Wire) -> Iterator[Wire]:
    """Another pair beside ``wire``."""
    name, peer, namespace = f"o{wire.name[1:]}", f"q{wire.peer[1:]}", f"{wire.namespace}-o"
    create_namespace(namespace)
    try:
        create_veth(name, peer, namespace, *address_pair())
        yield Wire(name, peer, namespace, ifindex(name))
    finally:
        remove_interface(name)
        remove_namespace(namespace)


def arrives(wire: Wire, other: Wire, code: tuple[Slot, ...]) -> bool:
    """Whether a frame that comes in on ``wire`` goes out of ``other`` if ``code`` decides."""
    frame = MACS + udp_frame(9)[12:]
    with (
        load_program(program("decides", *code, licence="GPL"), []) as decides,
        open_packet_socket(other.peer, other.namespace) as there,
        open_packet_socket(wire.peer, wire.namespace, 0) as here,
    ):
        attach_without_link(wire.name, decides.descriptor.number, GENERIC_MODE)
        try:
            here.send(frame)
            there.settimeout(1.0)
            while True:
                if there.recv(2048)[: len(frame)] == frame:
                    return True
        except TimeoutError:
            return False
        finally:
            attach_without_link(wire.name, -1, GENERIC_MODE)


def test_a_packet_goes_where_the_last_call_said_whoever_returns_the_code(
    wire: Wire, other: Wire
) -> None:
    """The attack: alone the later program redirects nowhere, after the other it does."""
    relies = returning(REDIRECT)
    assert not arrives(wire, other, relies)
    assert arrives(wire, other, (*asking(other.ifindex), *relies))
    asks = member("asks", (*asking(other.ifindex), *returning(PASS)))
    with pytest.raises(CannotSplice, match=r"'asks' may ask for a redirect .* 'relies' after it"):
        splice([asks, member("relies", relies)])
    assert not arrives(wire, other, splice([member("relies", relies), asks]).program.instructions)
    own = splice([asks, member("own", (*asking(other.ifindex), EXIT))])
    assert arrives(wire, other, own.program.instructions)


def test_negative_codes_go_on_however_they_were_returned() -> None:
    """Classifiers go on with TC_ACT_UNSPEC, -1."""
    unspec = [
        (Slot(0xB7, 0, 0, 0, -1), EXIT),  # 64 bits
        (Slot(0xB4, 0, 0, 0, -1), EXIT),  # 32 bits
        (Slot(LDDW, 0, 0, 0, -1), Slot(0, 0, 0, 0, 7), EXIT),  # other bits above
    ]
    made = [
        member(f"m{n}", code, run_on=[-1], program_type=SCHED_CLS, attach_type=TCX_INGRESS)
        for n, code in enumerate(unspec)
    ]
    last = replace(
        counter(verdict=0),
        program=replace(
            counter(verdict=0).program, program_type=SCHED_CLS, attach_type=TCX_INGRESS
        ),
    )
    with loaded([*made, last]) as (whole, maps):
        assert run(whole, udp_frame(9)).return_value == 0
        assert number(maps[0].lookup(key(0))) == 1
    refuses = replace(made[0], name="stops", run_on=frozenset({0}))
    with loaded([refuses, last]) as (whole, maps):
        assert run(whole, udp_frame(9)).return_value == 2**32 - 1
        assert number(maps[0].lookup(key(0))) == 0
