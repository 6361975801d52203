"""Chains of classifiers on TCX: negative verdicts, packets on a wire, programs of others."""

from contextlib import ExitStack

import pytest
from tests.builders.kernel_programs import array, counting, key, number, returning
from tests.builders.members import member
from tests.builders.packets import tcp_frame
from tests.builders.wires import eventually, reaches
from tests.kernel.conftest import Wire

from skep.bytecode.linking.plan import MapPlan
from skep.chains.fingerprints import run_on_codes
from skep.chains.member import Member
from skep.chains.splicing import splice
from skep.hooks.hook import Hook
from skep.hooks.table import HOOKS
from skep.hooks.target import HookTarget
from skep.kernel.attaching.table import driver_of
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.running import test_run as run

pytestmark = pytest.mark.kernel

NEXT, PASS, DROP, PIPE, REDIRECT = -1, 0, 2, 3, 7
INGRESS, EGRESS = HOOKS["tcx-ingress"], HOOKS["tcx-egress"]
_DEFAULT = run_on_codes(INGRESS.name, INGRESS.default_run_on)
COUNTS: MapPlan = array()


def _member(hook: Hook, name: str, verdict: int, maps: tuple[MapPlan, ...] = ()) -> Member:
    code = counting(verdict) if maps else returning(verdict)
    return member(
        name,
        code,
        run_on=_DEFAULT,
        maps=maps,
        stack_bytes=8 if maps else 0,
        program_type=hook.program_type_id,
        attach_type=hook.attach_type_id,
    )


def _chain(stack: ExitStack, *members: Member) -> tuple[LoadedProgram, list[LoadedMap]]:
    maps = [stack.enter_context(create_map(plan)) for each in members for plan in each.maps]
    return stack.enter_context(load_program(splice(members).program, maps)), maps


@pytest.mark.parametrize("verdict", [NEXT, PASS, PIPE])
def test_the_next_member_decides_after(verdict: int) -> None:
    with ExitStack() as stack:
        first, last = _member(INGRESS, "first", verdict), _member(INGRESS, "last", DROP)
        chain, _ = _chain(stack, first, last)
        assert run(chain, tcp_frame(80)).return_value == DROP


@pytest.mark.parametrize("verdict", [DROP, REDIRECT, 5])
def test_the_chain_ends_with(verdict: int) -> None:
    with ExitStack() as stack:
        first, last = _member(INGRESS, "first", verdict), _member(INGRESS, "last", PASS)
        chain, _ = _chain(stack, first, last)
        assert run(chain, tcp_frame(80)).return_value == verdict


def test_the_last_verdict_is_the_chains_also_if_it_is_negative() -> None:
    with ExitStack() as stack:
        first, last = _member(INGRESS, "first", PASS), _member(INGRESS, "last", NEXT)
        chain, _ = _chain(stack, first, last)
        assert run(chain, tcp_frame(80)).return_value == 2**32 - 1


@pytest.mark.parametrize("hook", [INGRESS, EGRESS], ids=lambda hook: hook.name)
def test_a_dropping_chain_cuts_the_wire(hook: Hook, wire: Wire) -> None:
    driver = driver_of(hook)
    identity = driver.locate(HookTarget(hook.name, wire.name)).identity
    with ExitStack() as stack:
        counting_one = _member(hook, "counting", PASS, (COUNTS,))
        chain, (counts,) = _chain(stack, counting_one, _member(hook, "dropping", DROP))
        with driver.attach(hook, identity, chain):
            assert not reaches(wire.name, wire.namespace)
            assert _total(counts) > 0
        assert eventually(lambda: reaches(wire.name, wire.namespace))


def test_what_a_program_before_ours_passes_at_once_ours_do_not_see(wire: Wire) -> None:
    """Ours go last: what others decide finally is theirs, and TCX_NEXT of theirs comes to us."""
    driver = driver_of(INGRESS)
    identity = driver.locate(HookTarget(INGRESS.name, wire.name)).identity
    for verdict, is_seen in ((PASS, False), (NEXT, True)):
        with ExitStack() as stack:
            theirs, _ = _chain(stack, _member(INGRESS, "theirs", verdict))
            ours, (counts,) = _chain(stack, _member(INGRESS, "ours", PASS, (COUNTS,)))
            stack.enter_context(driver.attach(INGRESS, identity, theirs))
            stack.enter_context(driver.attach(INGRESS, identity, ours))
            assert eventually(lambda: reaches(wire.name, wire.namespace))
            assert (_total(counts) > 0) is is_seen


def _total(counts: LoadedMap) -> int:
    return number(counts.lookup(key(0)))
