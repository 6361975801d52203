"""Interfaces as targets: renamed, moved, made anew, of one number in two namespaces, jumbo."""

import dataclasses
import errno
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest
from pyroute2 import IPRoute
from tests.builders.kernel_programs import PASS, program, returning
from tests.kernel.conftest import Wire

from skep.bytecode.linking.plan import ProgramPlan
from skep.hooks.hook import Hook
from skep.hooks.identity import InterfaceIdentity
from skep.hooks.table import HOOKS
from skep.hooks.target import HookTarget
from skep.kernel import namespaces
from skep.kernel.attaching import interfaces, tcx, xdp
from skep.kernel.attaching.driver import Detached, Driver, Hidden, Place
from skep.kernel.attaching.table import driver_of
from skep.kernel.errors import (
    HookTaken,
    InterfaceMissing,
    KernelRefused,
    NotInThisKernel,
    TargetNotVisible,
)
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.namespaces import entered, namespace_cookie
from skep.kernel.network import create_namespace, remove_interface, remove_namespace
from skep.kernel.syscall import BpfError
from skep.versions import KernelVersion

pytestmark = pytest.mark.kernel

_HAS_FRAGS = 1 << 5


@pytest.fixture(params=["xdp", "tcx-ingress", "tcx-egress"])
def hook(request: pytest.FixtureRequest) -> Hook:
    return HOOKS[request.param]


@pytest.fixture
def driver(hook: Hook) -> Driver:
    return driver_of(hook)


@pytest.fixture
def loaded(hook: Hook) -> Iterator[LoadedProgram]:
    with load_program(_for(hook), []) as made:
        yield made


@pytest.fixture
def here(hook: Hook, driver: Driver, wire: Wire) -> Place:
    return driver.locate(HookTarget(hook.name, wire.name))


@pytest.fixture
def link(driver: Driver, hook: Hook, here: Place, loaded: LoadedProgram) -> Iterator[Link]:
    with driver.attach(hook, here.identity, loaded) as made:
        yield made


@pytest.fixture
def route() -> Iterator[IPRoute]:
    with IPRoute() as opened:
        yield opened


def _for(hook: Hook, name: str = "verdict") -> ProgramPlan:
    plan = program(name, *returning(PASS))
    return dataclasses.replace(
        plan, program_type=hook.program_type_id, attach_type=hook.attach_type_id
    )


def test_by_its_name_and_by_its_number(driver: Driver, hook: Hook, wire: Wire) -> None:
    place = driver.locate(HookTarget(hook.name, wire.name))
    assert place.identity == InterfaceIdentity(namespace_cookie(), wire.ifindex)
    assert place.called == HookTarget(hook.name, wire.name)
    assert driver.find(hook, place.identity) == place


@pytest.mark.parametrize("length", [9, 15, 16, 127])
def test_an_alternative_name_is_resolved_to_the_first(
    driver: Driver, hook: Hook, wire: Wire, route: IPRoute, length: int
) -> None:
    other = f"other{secrets.token_hex(2)}".ljust(length, "x")
    route.link("property_add", index=wire.ifindex, altname=other)
    assert driver.locate(HookTarget(hook.name, other)).called.target == wire.name


def test_in_another_namespace(driver: Driver, hook: Hook, wire: Wire) -> None:
    place = driver.locate(HookTarget(hook.name, wire.peer, wire.namespace))
    assert place.called == HookTarget(hook.name, wire.peer, wire.namespace)
    with pytest.raises(InterfaceMissing):
        driver.locate(HookTarget(hook.name, wire.peer))
    with load_program(_for(hook), []) as made, driver.attach(hook, place.identity, made) as link:
        assert driver.occupants(hook, place.identity) == (made.id,)
        assert driver.whereabouts(hook, link, place.identity) == place
        assert driver.whereabouts(hook, link, None) == place


def test_a_renamed_interface_is_the_same(
    driver: Driver, hook: Hook, here: Place, link: Link, wire: Wire, route: IPRoute
) -> None:
    route.link("set", index=wire.ifindex, state="down")
    route.link("set", index=wire.ifindex, ifname=f"{wire.name}r")
    try:
        found = driver.find(hook, here.identity)
        assert found.identity == here.identity
        assert found.called.target == f"{wire.name}r"
        assert driver.whereabouts(hook, link, here.identity) == found
    finally:
        route.link("set", index=wire.ifindex, ifname=wire.name)


def test_a_link_follows_its_interface_into_another_namespace(
    driver: Driver, hook: Hook, here: Place, link: Link, wire: Wire, route: IPRoute
) -> None:
    elsewhere = f"skep-test-{secrets.token_hex(3)}"
    create_namespace(elsewhere)
    try:
        route.link("set", index=wire.ifindex, net_ns_fd=elsewhere)
        with pytest.raises(InterfaceMissing):
            driver.find(hook, here.identity)
        found = driver.whereabouts(hook, link, here.identity)
        assert isinstance(found, Place)
        assert found.called == HookTarget(hook.name, wire.name, elsewhere)
        with entered(elsewhere) as namespace:
            assert isinstance(found.identity, InterfaceIdentity)
            assert found.identity.namespace == namespace.cookie
        assert driver.occupants(hook, found.identity) == (link.program_id(),)
    finally:
        remove_namespace(elsewhere)


def test_a_link_in_a_namespace_that_cannot_be_seen_is_hidden_not_detached(
    driver: Driver,
    hook: Hook,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    loaded: LoadedProgram,
) -> None:
    there = driver.locate(HookTarget(hook.name, wire.peer, wire.namespace))
    with driver.attach(hook, there.identity, loaded) as link:
        monkeypatch.setattr(namespaces, "_NAMED", namespaces._NAMED / "nothing")
        namespaces._found_at.clear()
        assert driver.whereabouts(hook, link, there.identity) == Hidden()
        with pytest.raises(TargetNotVisible):
            driver.find(hook, there.identity)
        with pytest.raises(TargetNotVisible):
            driver.occupants(hook, there.identity)
        with pytest.raises(TargetNotVisible):
            driver.attach(hook, there.identity, loaded)


def test_a_deleted_interface_leaves_the_link_detached(
    driver: Driver, hook: Hook, here: Place, link: Link, wire: Wire
) -> None:
    remove_interface(wire.name)
    assert driver.whereabouts(hook, link, here.identity) == Detached()
    with pytest.raises(InterfaceMissing):
        driver.find(hook, here.identity)
    with pytest.raises(InterfaceMissing):
        driver.occupants(hook, here.identity)


def test_one_made_anew_with_the_same_number_is_not_the_links(
    driver: Driver, hook: Hook, here: Place, link: Link, wire: Wire, route: IPRoute
) -> None:
    remove_interface(wire.name)
    peer = {"ifname": wire.peer, "net_ns_fd": wire.namespace}
    route.link("add", ifname=wire.name, kind="veth", index=wire.ifindex, peer=peer)
    assert driver.find(hook, here.identity) == here  # all that numbers can tell
    assert driver.occupants(hook, here.identity) == ()
    assert driver.whereabouts(hook, link, here.identity) == Detached()


def test_one_number_in_two_namespaces(
    driver: Driver, hook: Hook, here: Place, link: Link, wire: Wire
) -> None:
    name = f"sku{secrets.token_hex(3)}"
    with IPRoute(netns=wire.namespace) as route, load_program(_for(hook), []) as second:
        route.link("add", ifname=name, kind="veth", index=wire.ifindex, peer={"ifname": "skv"})
        there = driver.locate(HookTarget(hook.name, name, wire.namespace))
        assert isinstance(there.identity, InterfaceIdentity)
        assert there.identity.index == wire.ifindex
        assert driver.occupants(hook, there.identity) == ()
        with driver.attach(hook, there.identity, second) as other:
            for hint in (None, here.identity, there.identity):
                assert driver.whereabouts(hook, link, hint) == here
                assert driver.whereabouts(hook, other, hint) == there


def test_several_share_tcx_in_the_order_they_came(wire: Wire) -> None:
    hook = HOOKS["tcx-ingress"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget(hook.name, wire.name)).identity
    with ExitStack() as opened:
        programs = [opened.enter_context(load_program(_for(hook), [])) for _ in range(3)]
        for each in programs:
            opened.enter_context(driver.attach(hook, identity, each))
        assert driver.occupants(hook, identity) == tuple(each.id for each in programs)
        assert driver.occupants(HOOKS["tcx-egress"], identity) == ()


def test_tcx_is_full_at_some_time(wire: Wire) -> None:
    hook = HOOKS["tcx-egress"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget(hook.name, wire.name)).identity
    with ExitStack() as opened:
        for _ in range(63):
            each = opened.enter_context(load_program(_for(hook), []))
            opened.enter_context(driver.attach(hook, identity, each))
        last = opened.enter_context(load_program(_for(hook), []))
        with pytest.raises(HookTaken, match="is full: it has 63 programs"):
            driver.attach(hook, identity, last)
        assert len(driver.occupants(hook, identity)) == 63


@pytest.fixture
def jumbo(wire: Wire, route: IPRoute) -> Wire:
    route.link("set", index=wire.ifindex, mtu=9000)
    with IPRoute(netns=wire.namespace) as there:
        there.link("set", index=there.link_lookup(ifname=wire.peer)[0], mtu=9000)
    return wire


def test_where_the_driver_refuses_generic_mode_is_taken_and_told(jumbo: Wire) -> None:
    hook = HOOKS["xdp"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget("xdp", jumbo.name)).identity
    with load_program(program(), []) as loaded, driver.attach(hook, identity, loaded) as link:
        assert link.remark == (
            f"generic mode: the driver of {jumbo.name} refuses native XDP at MTU 9000"
        )
        assert driver.occupants(hook, identity) == (loaded.id,)


def test_a_driver_without_xdp_is_told(wire: Wire) -> None:
    hook = HOOKS["xdp"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget("xdp", "lo", wire.namespace)).identity
    with load_program(program(), []) as loaded, driver.attach(hook, identity, loaded) as link:
        assert link.remark == "generic mode: the driver of lo has no native XDP"
        assert driver.remark(hook, identity, loaded.id).startswith("generic mode: ")
        assert driver.remark(hook, identity, loaded.id + 1) == ""


def test_with_fragments_the_driver_takes_it_and_one_without_is_refused(jumbo: Wire) -> None:
    hook = HOOKS["xdp"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget("xdp", jumbo.name)).identity
    frags = dataclasses.replace(program("frags"), flags=_HAS_FRAGS)
    with (
        load_program(frags, []) as first,
        load_program(program("plain"), []) as second,
        driver.attach(hook, identity, first) as link,
    ):
        assert link.remark == ""
        with pytest.raises(KernelRefused, match="refuses program 'plain'") as caught:
            driver.replace(link, second, first)
        assert "xdp.frags" in (caught.value.hint or "")
        assert link.program_id() == first.id


def test_a_taken_hook_in_generic_mode_is_still_taken(jumbo: Wire) -> None:
    hook = HOOKS["xdp"]
    driver = driver_of(hook)
    identity = driver.locate(HookTarget("xdp", jumbo.name)).identity
    with (
        load_program(program("first"), []) as first,
        load_program(program("second"), []) as second,
        driver.attach(hook, identity, first),
        pytest.raises(HookTaken, match=f"program {first.id} "),
    ):
        driver.attach(hook, identity, second)


def _refusing(number: int) -> Callable[..., Link]:
    def create_link(*_: object, **__: object) -> Link:
        raise BpfError(number)

    return create_link


@pytest.mark.parametrize("number", [errno.ERANGE, errno.EINVAL, errno.EOPNOTSUPP])
def test_refused_in_both_modes_the_way_out_is_told(
    jumbo: Wire, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = HOOKS["xdp"]
    identity = driver_of(hook).locate(HookTarget("xdp", jumbo.name)).identity
    monkeypatch.setattr(xdp, "create_link", _refusing(number))
    with load_program(program(), []) as loaded, pytest.raises(KernelRefused) as caught:
        driver_of(hook).attach(hook, identity, loaded)
    assert f"MTU 9000 is too large for program 'verdict' on {jumbo.name}" in caught.value.message
    assert "xdp.frags" in (caught.value.hint or "")


def test_of_a_pair_the_mtu_of_the_other_end_counts(wire: Wire, route: IPRoute) -> None:
    with IPRoute(netns=wire.namespace) as there:
        there.link("set", index=there.link_lookup(ifname=wire.peer)[0], mtu=9000)
    hook = HOOKS["xdp"]
    identity = driver_of(hook).locate(HookTarget("xdp", wire.name)).identity
    driver = driver_of(hook)
    with load_program(program(), []) as loaded, driver.attach(hook, identity, loaded) as link:
        assert link.remark.endswith("refuses native XDP at the other end's MTU")


@pytest.mark.parametrize(("name", "way"), [("xdp", xdp), ("tcx-ingress", tcx), ("tcx-egress", tcx)])
def test_a_kernel_that_is_too_old_is_told_which_is_not(
    wire: Wire, name: str, way: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = HOOKS[name]
    identity = driver_of(hook).locate(HookTarget(name, wire.name)).identity
    monkeypatch.setattr(way, "create_link", _refusing(errno.EINVAL))
    monkeypatch.setattr(interfaces, "kernel_version", lambda: KernelVersion(5, 4))
    with load_program(_for(hook), []) as loaded, pytest.raises(NotInThisKernel) as caught:
        driver_of(hook).attach(hook, identity, loaded)
    assert f"links for {name}, this is Linux 5.4" in caught.value.message
    assert str(hook.first_kernel) in (caught.value.hint or "")


def test_a_kernel_built_without_tcx(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = HOOKS["tcx-ingress"]
    identity = driver_of(hook).locate(HookTarget(hook.name, wire.name)).identity
    monkeypatch.setattr(tcx, "create_link", _refusing(errno.EINVAL))
    with load_program(_for(hook), []) as loaded, pytest.raises(NotInThisKernel) as caught:
        driver_of(hook).attach(hook, identity, loaded)
    assert "CONFIG_NET_XGRESS" in (caught.value.hint or "")


def test_refused_in_both_modes_though_the_mtu_is_ordinary(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = HOOKS["xdp"]
    identity = driver_of(hook).locate(HookTarget("xdp", wire.name)).identity
    monkeypatch.setattr(xdp, "create_link", _refusing(errno.EOPNOTSUPP))
    with load_program(program(), []) as loaded, pytest.raises(KernelRefused, match="neither"):
        driver_of(hook).attach(hook, identity, loaded)
