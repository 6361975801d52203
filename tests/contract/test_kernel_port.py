"""One suite for the node's ``Kernel`` port: the fake keeps what the real one does."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.builders.deployments import array_map, hash_map, returning, rodata
from tests.builders.kernel_programs import counting
from tests.builders.objects import fixture
from tests.fakes.kernel import FakeKernel

from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import ProgramPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.chains.fingerprints import kernel_name, map_pin_name
from skep.errors import Conflict, Refused
from skep.hooks.identity import InterfaceIdentity
from skep.hooks.table import find_hook
from skep.hooks.target import HookTarget
from skep.kernel.attaching.table import driver_of
from skep.kernel.interfaces import ifindex
from skep.kernel.loading import load_program
from skep.kernel.network import (
    create_namespace,
    create_veth,
    remove_interface,
    remove_namespace,
)
from skep.kernel.pins import PinRoot, mount_bpffs, unmount
from skep.node.ports import Kernel, MapPin, NoSuchPin, NoSuchTarget, PinInTheWay, Program
from skep.node.wiring.kernel_adapter import KernelAdapter

KEY, ONE, TWO = bytes(4), b"\x01" + bytes(7), b"\x02" + bytes(7)
OTHER_KEY = b"\x05\0\0\0"
COUNTING = replace(returning(2), instructions=counting(2))
NAME = kernel_name("0123456789")
OTHER = kernel_name("abcdef0123")
SHARED = "tcx-ingress"


@dataclass(frozen=True)
class Port:
    """A kernel and an interface it knows.

    Attributes:
        occupy: lets somebody else put a program ``theirs`` on the interface's SHARED hook.
    """

    kernel: Kernel
    interface: str
    occupy: Callable[[], None]

    @property
    def on(self) -> HookTarget:
        return HookTarget("xdp", self.interface)

    @property
    def identity(self) -> InterfaceIdentity:
        identity = self.kernel.locate(self.on).identity
        assert isinstance(identity, InterfaceIdentity)
        return identity


@pytest.fixture(
    params=[
        "fake",
        pytest.param(
            "real",
            marks=[
                pytest.mark.kernel,
                pytest.mark.skipif(os.geteuid() != 0, reason="needs root: bpf(2), mounts, veth"),
            ],
        ),
    ]
)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Port]:
    if request.param == "fake":
        fake = FakeKernel()
        yield Port(fake, "eth0", lambda: fake.occupy("eth0", SHARED, "theirs"))
        return
    mark = secrets.token_hex(3)
    name, namespace = f"skc{mark}", f"skep-contract-{mark}"
    create_namespace(namespace)
    mount_bpffs(tmp_path / "bpf")
    try:
        create_veth(name, "peer", namespace, "10.214.0.1/30", "10.214.0.2/30")
        assert ifindex(name)
        with PinRoot(tmp_path / "bpf") as pins, ExitStack() as others:
            yield Port(KernelAdapter(pins), name, lambda: _occupy(name, others))
    finally:
        unmount(tmp_path / "bpf")
        remove_interface(name)
        remove_namespace(namespace)


def _occupy(interface: str, others: ExitStack) -> None:
    hook = find_hook(SHARED)
    driver = driver_of(hook)
    identity = driver.locate(HookTarget(SHARED, interface)).identity
    program = others.enter_context(load_program(_shared("theirs"), []))
    others.enter_context(driver.attach(hook, identity, program))


def _shared(name: str) -> ProgramPlan:
    """A program for the hook that several owners share."""
    hook = find_hook(SHARED)
    return replace(
        returning(0, name),
        program_type=hook.program_type_id,
        attach_type=hook.attach_type_id,
    )


@pytest.fixture
def programs(port: Port) -> Iterator[tuple[Program, Program]]:
    first = port.kernel.load(returning(2), [], NAME)
    second = port.kernel.load(returning(2), [], OTHER)
    yield first, second
    first.close()
    second.close()


# Maps ----------------------------------------------------------------------------------------


def test_nothing_is_there_at_first(port: Port) -> None:
    assert port.kernel.pinned_maps() == {}
    assert port.kernel.retired_maps() == {}
    assert port.kernel.links() == ()


def test_a_created_map_is_pinned_with_its_contents(port: Port) -> None:
    port.kernel.create_map("limit", "ports", replace(hash_map("ports"), contents=((KEY, ONE),)))
    assert port.kernel.pinned_maps() == {"limit": frozenset({"ports"})}
    assert port.kernel.read_entries("limit", "ports") == {KEY: ONE}


def test_an_array_has_all_its_entries_from_the_start(port: Port) -> None:
    port.kernel.create_map("limit", "config", array_map(entries=2))
    assert port.kernel.read_entries("limit", "config") == {KEY: bytes(8), b"\1\0\0\0": bytes(8)}


def test_read_only_data_is_created_with_its_content(port: Port) -> None:
    port.kernel.create_map("limit", "-rodata-0", rodata(b"1234"))
    assert port.kernel.read_entries("limit", "-rodata-0") == {KEY: b"1234"}


def test_a_taken_map_name_is_a_conflict_and_changes_nothing(port: Port) -> None:
    port.kernel.create_map("limit", "ports", replace(hash_map(), contents=((KEY, ONE),)))
    with pytest.raises(PinInTheWay):
        port.kernel.create_map("limit", "ports", hash_map())
    assert port.kernel.read_entries("limit", "ports") == {KEY: ONE}


def test_entries_are_written_and_deleted(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map())
    port.kernel.write_entries("limit", "ports", {KEY: ONE, OTHER_KEY: ONE}, [])
    port.kernel.write_entries("limit", "ports", {OTHER_KEY: TWO}, [KEY, b"\x09\0\0\0"])
    assert port.kernel.read_entries("limit", "ports") == {OTHER_KEY: TWO}


def test_a_full_set_can_be_exchanged_for_another(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map(entries=1))
    port.kernel.write_entries("limit", "ports", {KEY: ONE}, [])
    port.kernel.write_entries("limit", "ports", {OTHER_KEY: ONE}, [KEY])
    assert port.kernel.read_entries("limit", "ports") == {OTHER_KEY: ONE}


def test_nothing_is_written_into_a_map_of_other_sizes(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map())
    for changed, gone in (({KEY: ONE, bytes(8): ONE}, []), ({KEY: ONE + ONE}, []), ({}, [b"?"])):
        with pytest.raises(PinInTheWay):
            port.kernel.write_entries("limit", "ports", changed, gone)
    assert port.kernel.read_entries("limit", "ports") == {}


def test_only_asked_keys_that_exist_are_read(port: Port) -> None:
    port.kernel.create_map("limit", "ports", replace(hash_map(), contents=((KEY, ONE),)))
    assert port.kernel.read_entries("limit", "ports", [KEY, OTHER_KEY]) == {KEY: ONE}


def test_a_number_is_read_by_key(port: Port) -> None:
    port.kernel.create_map("limit", "counts", replace(hash_map(), contents=((OTHER_KEY, ONE),)))
    assert port.kernel.read_per_cpu("limit", "counts", 5) == [ONE]
    assert port.kernel.read_per_cpu("limit", "counts", 6) == []
    assert port.kernel.read_per_cpu("limit", "counts", 1 << 40) == []


def test_a_per_cpu_map_has_a_value_for_each_cpu(port: Port) -> None:
    port.kernel.create_map("limit", "counts", replace(array_map(), map_type=6))
    values = port.kernel.read_per_cpu("limit", "counts", 0)
    assert len(values) >= 1
    assert set(values) == {bytes(8)}


def test_a_retired_map_comes_back_with_its_content(port: Port) -> None:
    port.kernel.create_map("limit", "ports", replace(hash_map(), contents=((KEY, ONE),)))
    port.kernel.retire_map("limit", "ports")
    assert port.kernel.pinned_maps() == {}
    assert port.kernel.retired_maps() == {"limit": frozenset({"ports"})}
    assert port.kernel.read_entries("limit", "ports") == {KEY: ONE}
    port.kernel.restore_map("limit", "ports")
    assert port.kernel.retired_maps() == {}
    assert port.kernel.read_entries("limit", "ports") == {KEY: ONE}


def test_retiring_never_replaces_a_retired_map(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map())
    port.kernel.retire_map("limit", "ports")
    port.kernel.create_map("limit", "ports", hash_map())
    with pytest.raises(PinInTheWay):
        port.kernel.retire_map("limit", "ports")
    with pytest.raises(PinInTheWay):
        port.kernel.restore_map("limit", "ports")


def test_deleted_and_purged_maps_are_gone(port: Port) -> None:
    for pin in ("a", "b"):
        port.kernel.create_map("limit", pin, hash_map())
    port.kernel.delete_map("limit", "a")
    port.kernel.retire_map("limit", "b")
    port.kernel.purge_map("limit", "b")
    assert (port.kernel.pinned_maps(), port.kernel.retired_maps()) == ({}, {})


@pytest.mark.parametrize("method", ["delete_map", "retire_map", "restore_map", "purge_map"])
def test_what_is_not_there_is_not_found(port: Port, method: str) -> None:
    with pytest.raises(NoSuchPin):
        getattr(port.kernel, method)("limit", "ports")


def test_entries_of_no_map_are_not_found(port: Port) -> None:
    with pytest.raises(NoSuchPin):
        port.kernel.read_entries("limit", "ports")
    with pytest.raises(NoSuchPin):
        port.kernel.write_entries("limit", "ports", {KEY: ONE}, [])


def test_a_program_holds_the_maps_it_was_loaded_with(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map("ports"))
    before = port.kernel.pinned_map_id("limit", "ports")
    program = port.kernel.load(COUNTING, [MapPin("limit", "ports", hash_map("ports"))], NAME)
    link = port.kernel.attach("xdp", port.identity, program)
    program.close()
    assert port.kernel.held_maps(link) == {before: "ports"}
    port.kernel.delete_map("limit", "ports")
    port.kernel.create_map("limit", "ports", hash_map("ports"))
    assert port.kernel.held_maps(link) == {before: "ports"}
    assert port.kernel.pinned_map_id("limit", "ports") != before


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_map_in_use_is_pinned_again(port: Port, is_replaced: bool) -> None:  # noqa: FBT001 - a case
    port.kernel.create_map("limit", "ports", replace(hash_map(), contents=((OTHER_KEY, ONE),)))
    before = port.kernel.pinned_map_id("limit", "ports")
    program = port.kernel.load(COUNTING, [MapPin("limit", "ports", hash_map())], NAME)
    port.kernel.attach("xdp", port.identity, program)
    program.close()
    port.kernel.delete_map("limit", "ports")
    if is_replaced:
        port.kernel.create_map("limit", "ports", hash_map())
    port.kernel.pin_again("limit", "ports", before)
    assert port.kernel.pinned_map_id("limit", "ports") == before
    assert port.kernel.read_entries("limit", "ports", [OTHER_KEY]) == {OTHER_KEY: ONE}
    assert port.kernel.pinned_maps() == {"limit": frozenset({"ports"})}


def test_what_is_not_there_is_not_pinned_again(port: Port) -> None:
    with pytest.raises(NoSuchPin):
        port.kernel.pin_again("limit", "ports", 0x7FFFFFFF)
    with pytest.raises(NoSuchPin):
        port.kernel.pinned_map_id("limit", "ports")


# Programs ------------------------------------------------------------------------------------


def test_a_loaded_program_has_its_name_and_was_measured(port: Port) -> None:
    program = port.kernel.load(returning(2), [], NAME)
    assert (program.name, program.verified_instructions, program.stack_bytes) == (NAME, 2, 0)
    program.close()


def test_what_the_verifier_refuses_comes_with_its_log(port: Port) -> None:
    broken = replace(returning(2), instructions=returning(2).instructions[:1])
    with pytest.raises(Refused) as caught:
        port.kernel.load(broken, [], NAME)
    assert caught.value.detail


def test_a_program_needs_its_maps(port: Port) -> None:
    with pytest.raises(NoSuchPin):
        port.kernel.load(returning(2), [MapPin("limit", "ports", hash_map())], NAME)


def test_another_map_under_the_name_is_refused(port: Port) -> None:
    port.kernel.create_map("limit", "ports", hash_map(entries=8))
    with pytest.raises(PinInTheWay):
        port.kernel.load(returning(2), [MapPin("limit", "ports", hash_map(entries=9))], NAME)


# Links ---------------------------------------------------------------------------------------


def test_a_declared_target_is_located_and_found_by_what_it_is(port: Port) -> None:
    place = port.kernel.locate(port.on)
    assert place.called == port.on
    assert port.kernel.find("xdp", place.identity) == place


def test_an_attached_program_is_observed_by_its_name(
    port: Port, programs: tuple[Program, Program]
) -> None:
    link = port.kernel.attach("xdp", port.identity, programs[0])
    assert port.kernel.links() == (link,)
    assert (link.hook, link.place, link.is_attached) == ("xdp", port.kernel.locate(port.on), True)
    assert link.program_name == NAME
    assert port.kernel.foreign_program("xdp", port.identity) is None


def test_the_programs_on_a_hook_are_told_in_order_and_ours_are_marked(port: Port) -> None:
    identity = port.identity
    assert port.kernel.occupants(SHARED, identity, ()) == ()
    port.occupy()
    ours = port.kernel.load(_shared("ours"), [], NAME)
    link = port.kernel.attach(SHARED, identity, ours)
    ours.close()
    port.occupy()
    there = port.kernel.occupants(SHARED, identity, port.kernel.links())
    assert [(each.name, each.is_ours) for each in there] == [
        ("theirs", False),
        (NAME, True),
        ("theirs", False),
    ]
    assert there[1].program == link.program
    assert port.kernel.occupants("xdp", identity, port.kernel.links()) == ()
    port.kernel.detach(link)
    there = port.kernel.occupants(SHARED, identity, port.kernel.links())
    assert [each.is_ours for each in there] == [False, False]


def test_a_usual_link_needs_no_remark(port: Port, programs: tuple[Program, Program]) -> None:
    assert port.kernel.remark(port.kernel.attach("xdp", port.identity, programs[0])) == ""


def test_occupants_of_what_is_not_there_are_not_found(port: Port) -> None:
    with pytest.raises(NoSuchTarget):
        port.kernel.occupants(SHARED, replace(port.identity, index=987654), ())


def test_a_second_attach_is_a_conflict(port: Port, programs: tuple[Program, Program]) -> None:
    port.kernel.attach("xdp", port.identity, programs[0])
    with pytest.raises(Conflict):
        port.kernel.attach("xdp", port.identity, programs[1])
    assert port.kernel.links()[0].program_name == NAME


def test_a_program_is_replaced_by_another_and_back(
    port: Port, programs: tuple[Program, Program]
) -> None:
    link = port.kernel.attach("xdp", port.identity, programs[0])
    before = port.kernel.running(link)
    port.kernel.replace(link, programs[1], before)
    assert port.kernel.links()[0].program_name == OTHER
    port.kernel.replace(link, before, programs[1])
    assert port.kernel.links()[0].program_name == NAME
    before.close()


def test_a_program_is_replaced_only_if_it_is_the_expected_one(
    port: Port, programs: tuple[Program, Program]
) -> None:
    link = port.kernel.attach("xdp", port.identity, programs[0])
    with pytest.raises(Conflict):
        port.kernel.replace(link, programs[0], programs[1])
    assert port.kernel.links()[0].program_name == NAME


def test_detaching_leaves_the_hook_free(port: Port, programs: tuple[Program, Program]) -> None:
    link = port.kernel.attach("xdp", port.identity, programs[0])
    port.kernel.detach(link)
    assert port.kernel.links() == ()
    port.kernel.attach("xdp", port.identity, programs[1])


def test_no_link_is_not_found(port: Port, programs: tuple[Program, Program]) -> None:
    link = port.kernel.attach("xdp", port.identity, programs[0])
    port.kernel.detach(link)
    with pytest.raises(NoSuchPin):
        port.kernel.detach(link)
    with pytest.raises(NoSuchPin):
        port.kernel.running(link)
    with pytest.raises(NoSuchPin):
        port.kernel.replace(link, *programs)


def test_a_missing_target_is_not_found(port: Port) -> None:
    with pytest.raises(NoSuchTarget):
        port.kernel.locate(HookTarget("xdp", "no-such-if"))
    with pytest.raises(NoSuchTarget):
        port.kernel.find("xdp", replace(port.identity, index=987654))


def test_a_missing_namespace_is_not_found(port: Port) -> None:
    with pytest.raises(NoSuchTarget):
        port.kernel.locate(HookTarget("xdp", "eth0", "no-such-namespace"))


def test_the_boot_has_an_id_and_the_command_is_on_the_host(port: Port) -> None:
    assert port.kernel.boot() == port.kernel.boot() != ""
    assert port.kernel.here() == ""


def test_the_kernel_says_what_it_is(port: Port) -> None:
    facts = port.kernel.facts()
    assert facts.release.startswith(str(facts.version))


def test_a_program_with_callbacks_is_loaded_with_its_types_only(port: Port) -> None:
    plan = link(fixture("callback"), None, LinkSettings())
    (walk,) = plan.programs
    pins = []
    for each in plan.maps:
        port.kernel.create_map("walking", map_pin_name(each), each)
        pins.append(MapPin("walking", map_pin_name(each), each))
    with pytest.raises(Refused) as caught:
        port.kernel.load(walk, pins, NAME)
    assert "missing btf func_info" in caught.value.message + caught.value.detail
    program = port.kernel.load(walk, pins, NAME, plan.btf)
    try:
        assert program.name == NAME
    finally:
        program.close()
