"""Namespaces, veth pairs and interfaces."""

import secrets

import pytest
from tests.builders.attaching import attach_xdp, xdp_program_id
from tests.builders.kernel_programs import DROP, program, returning
from tests.builders.wires import addresses, eventually, neighbours, reaches
from tests.kernel.conftest import Wire

from skep.errors import UsageError
from skep.kernel.errors import InterfaceMissing, KernelObjectMissing, NetworkConflict
from skep.kernel.interfaces import ifindex, interface_numbered
from skep.kernel.loading import load_program
from skep.kernel.network import (
    add_neighbour,
    create_namespace,
    create_veth,
    hardware_address,
    namespaces,
    remove_interface,
    remove_namespace,
)

pytestmark = pytest.mark.kernel
_PERMANENT = 0x80  # NUD_PERMANENT of linux/neighbour.h


def test_both_ends_are_up_and_addressed(wire: Wire) -> None:
    for namespace, name in ((None, wire.name), (wire.namespace, wire.peer)):
        (address,) = addresses(name, namespace)
        assert address.startswith("10.")


def test_the_peer_is_not_here(wire: Wire) -> None:
    with pytest.raises(InterfaceMissing):
        ifindex(wire.peer)


def test_names_and_numbers_agree(wire: Wire) -> None:
    assert interface_numbered(ifindex(wire.name)).name == wire.name


def test_an_interface_without_a_program(wire: Wire) -> None:
    assert xdp_program_id(wire.ifindex) is None


def test_a_dropping_program_cuts_the_wire(wire: Wire) -> None:
    with load_program(program("drop", *returning(DROP)), []) as loaded:
        with attach_xdp(loaded, wire.ifindex):
            assert xdp_program_id(wire.ifindex) == loaded.id
            assert not reaches(wire.name, wire.namespace)
        assert eventually(lambda: reaches(wire.name, wire.namespace))


def test_a_permanent_neighbour_is_entered(wire: Wire) -> None:
    address = hardware_address(wire.peer, wire.namespace)
    add_neighbour(wire.name, "10.213.0.9/32", address)
    assert neighbours(wire.name)["10.213.0.9"] == (address, _PERMANENT)


@pytest.mark.parametrize("index", [0, 0x7FFFFFFF, -1, 1 << 40])
def test_a_number_of_no_interface(index: int) -> None:
    with pytest.raises(InterfaceMissing):
        interface_numbered(index)
    with pytest.raises(InterfaceMissing):
        xdp_program_id(index)


@pytest.mark.parametrize("name", ["", "no-such-one", "a" * 40, "a\0b", "../x"])
def test_a_name_of_no_interface(name: str) -> None:
    with pytest.raises(InterfaceMissing):
        ifindex(name)
    assert not remove_interface(name)


def test_removing_one_end_removes_both(wire: Wire) -> None:
    assert remove_interface(wire.name)
    assert not remove_interface(wire.name)
    with pytest.raises(InterfaceMissing):
        hardware_address(wire.peer, wire.namespace)


def test_a_namespace_is_made_once_and_removed_once() -> None:
    name = f"skep-test-{secrets.token_hex(3)}"
    create_namespace(name)
    try:
        assert name in namespaces()
        with pytest.raises(NetworkConflict):
            create_namespace(name)
        assert name in namespaces()
    finally:
        assert remove_namespace(name)
    assert not remove_namespace(name)
    assert name not in namespaces()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b", "../../etc/passwd", "a" * 65])
def test_a_namespace_name_that_is_a_path_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        create_namespace(name)
    with pytest.raises(UsageError):
        remove_namespace(name)


def test_a_second_pair_of_the_same_name_changes_nothing(wire: Wire) -> None:
    with pytest.raises(NetworkConflict):
        create_veth(wire.name, "skx", wire.namespace, "10.213.0.1/30", "10.213.0.2/30")
    assert ifindex(wire.name) == wire.ifindex


def test_a_pair_that_fails_half_way_leaves_no_interface(wire: Wire) -> None:
    name = f"skh{secrets.token_hex(3)}"
    with pytest.raises(NetworkConflict):  # the peer's name is taken in the namespace
        create_veth(name, wire.peer, wire.namespace, "10.213.0.1/30", "10.213.0.2/30")
    with pytest.raises(InterfaceMissing):
        ifindex(name)


def test_an_address_the_kernel_refuses_leaves_no_interface(wire: Wire) -> None:
    name = f"skh{secrets.token_hex(3)}"
    with pytest.raises(Exception, match="could not create the veth pair"):
        create_veth(name, "skh", wire.namespace, "10.213.0.1/30", "ff00::1/64")
    with pytest.raises(InterfaceMissing):
        ifindex(name)


def test_a_pair_into_no_namespace_is_refused() -> None:
    with pytest.raises(KernelObjectMissing):
        create_veth("sknone", "sknone2", "no-such-namespace", "10.213.0.1/30", "10.213.0.2/30")
    with pytest.raises(InterfaceMissing):
        ifindex("sknone")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        pytest.param("a b", "10.213.0.1/30", id="space"),
        pytest.param("a" * 16, "10.213.0.1/30", id="long"),
        pytest.param("skx", "10.213.0.300/30", id="no-address"),
        pytest.param("skx", "x" * 1000, id="text"),
    ],
)
def test_a_pair_of_a_wrong_name_or_address_is_refused(wire: Wire, name: str, address: str) -> None:
    with pytest.raises(UsageError):
        create_veth(name, "sky", wire.namespace, address, "10.213.0.2/30")
