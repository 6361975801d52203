"""Types and source lines on a node: what is kept in map values, and what errors say."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.compiled import compiled_object
from tests.builders.deployments import returning
from tests.builders.live_node import YES, LiveNode, live_node
from tests.builders.objects import fixture, fixture_bytes, fixture_names
from tests.builders.packages import put_package
from tests.builders.packets import udp_frame
from tests.builders.published import make_package, toml
from tests.builders.trust import signer

from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.types import TypeFacts
from skep.chains.member import CannotSplice
from skep.errors import Refused, Unavailable
from skep.kernel.btf import load_types
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.older_types import older_types
from skep.kernel.pins import PinRoot
from skep.node.converging.composing import ChainRefused, MemberRefused
from skep.node.deploying.applying import Changed
from skep.node.deploying.installing import InstallRequest
from skep.node.deploying.setting import SizeIsFixed
from skep.node.ports import MapPin, PinInTheWay
from skep.node.wiring.kernel_adapter import KernelAdapter
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.references import parse_reference
from skep.trust.bundles import Subject, sign

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

FRAMES = [udp_frame(8081), udp_frame(8080)]
CHAIN = 'chain = { run_on = ["pass"] }'

READS_TOO_EARLY = """
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
#define NUMBER(name, value) int (*name)[value]
struct xdp_md { u32 data, data_end; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { NUMBER(type, 1); NUMBER(max_entries, 1); u32 *key; u32 *value; } config SEC(".maps");

SEC("xdp") int early(struct xdp_md *context)
{
	u32 first = 0;
	u32 *rate = lookup(&config, &first);

	return *rate ? 1 : 2;
}

char licence[] SEC("license") = "GPL";
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def stock(node: LiveNode, name: str, program: str, data: bytes, more: str = CHAIN) -> None:
    made = make_package(toml(f"skep/{name}", program=program, more=more), objects={"x.o": data})
    store = ContentStore(node.settings.content)
    put_package(store, made)
    bundle = sign(Subject(made.metadata.name, made.manifest.digest), signer())
    store_bundle(store, made.manifest, bundle)


def install(node: LiveNode, name: str, **settings: str) -> Changed:
    request = InstallRequest(
        parse_reference(f"skep/{name}:1.0.0"), node.on, settings=settings, answer=YES
    )
    with node.opened() as opened:
        return opened.install(request)


def value(node: LiveNode, deployment: str, pin: str, start: int, size: int) -> int:
    with (
        PinRoot(node.settings.bpffs) as pins,
        pins.open_map("maps", deployment, pin) as loaded,
    ):
        found = loaded.lookup(bytes(4)) or b""
        return int.from_bytes(found[start : start + size], "little")


def entries(node: LiveNode, deployment: str, pin: str) -> int:
    with (
        PinRoot(node.settings.bpffs) as pins,
        pins.open_map("maps", deployment, pin) as loaded,
    ):
        return loaded.max_entries


def test_a_spin_lock_in_a_value_is_held_alone_and_in_a_chain(node: LiveNode) -> None:
    stock(node, "guarded", "counts", fixture_bytes("value_fields"))
    assert install(node, "guarded").chain == ("guarded",)
    assert node.deliver(FRAMES) == FRAMES
    assert value(node, "guarded", "guards", 4, 4) >= len(FRAMES)
    node.install("port-filter", ports="8081")
    assert node.chain() == ["guarded", "port-filter"]
    assert node.deliver(FRAMES) == FRAMES[1:]
    assert value(node, "guarded", "guards", 4, 4) >= 2 * len(FRAMES)


def test_two_members_with_types_of_their_own_share_a_chain(node: LiveNode) -> None:
    stock(node, "one", "counts", fixture_bytes("value_fields"))
    stock(node, "two", "counts", fixture_bytes("value_fields"))
    install(node, "one")
    assert install(node, "two").chain == ("one", "two")
    assert node.deliver(FRAMES) == FRAMES
    assert all(value(node, name, "guards", 4, 4) >= len(FRAMES) for name in ("one", "two"))


def test_a_timer_in_a_value_expires(node: LiveNode) -> None:
    stock(node, "timed", "waits", fixture_bytes("value_fields"))
    install(node, "timed")
    assert node.deliver(FRAMES[:1]) == FRAMES[:1]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not value(node, "timed", "timers", 16, 8):
        time.sleep(0.001)
    assert value(node, "timed", "timers", 16, 8)


def test_an_object_of_the_programs_own_type_is_kept_in_a_map(node: LiveNode) -> None:
    # The program is loaded with the very types its maps were made with.
    stock(node, "keeping", "keeps", fixture_bytes("value_fields"))
    install(node, "keeping")
    assert node.deliver(FRAMES) == FRAMES
    assert value(node, "keeping", "notes", 8, 8) >= len(FRAMES)


def test_a_tail_call_in_a_subprogram_runs_alone_and_in_a_chain(node: LiveNode) -> None:
    stock(node, "leaving", "goes", fixture_bytes("tail_call_below"))
    assert install(node, "leaving").chain == ("leaving",)
    assert node.deliver(FRAMES) == FRAMES
    node.install("port-filter", ports="8081")
    assert node.chain() == ["leaving", "port-filter"]
    assert node.deliver(FRAMES) == FRAMES[1:]


def test_objects_of_its_own_types_keep_a_program_out_of_chains(node: LiveNode) -> None:
    stock(node, "keeping", "keeps", fixture_bytes("value_fields"))
    install(node, "keeping")
    with pytest.raises(CannotSplice, match="'keeping' makes objects of its own types"):
        node.install("port-filter", ports="8081")
    assert node.chain() == ["keeping"]
    assert node.deliver(FRAMES) == FRAMES


def test_what_the_verifier_refuses_names_the_line_of_the_source(node: LiveNode) -> None:
    stock(node, "early", "early", compiled_object(READS_TOO_EARLY))
    with pytest.raises(MemberRefused) as caught:
        install(node, "early")
    assert caught.value.message.splitlines() == [
        "the kernel's verifier refused early",
        "source.bpf.c:14  return *rate ? 1 : 2;",
        "R0 may be NULL here: test it first",
    ]
    assert "R0 invalid mem access 'map_value_or_null'" in caught.value.detail
    with node.opened() as opened:
        assert opened.installed() == ()


# The kernel's verifier walks 600,000 instructions of it; it gives up at a million.
LONG = """
#define SEC(name) __attribute__((section(name), used))
struct xdp_md { unsigned int data; };
SEC("xdp") int longer(struct xdp_md *context)
{
	volatile int sum = 0;

	for (int i = 0; i < 120000; i++)
		sum += 1;
	return 2;
}
char licence[] SEC("license") = "GPL";
"""


def test_what_is_refused_in_a_chain_only_names_member_and_line(node: LiveNode) -> None:
    stock(node, "one", "longer", compiled_object(LONG))
    stock(node, "two", "longer", compiled_object(LONG))
    install(node, "one")
    with pytest.raises(ChainRefused) as caught:
        install(node, "two")
    first, member, line, reason = caught.value.message.splitlines()
    assert first.endswith("refused the chain one, two, though it accepts each alone")
    assert member == "in two"
    assert line.startswith("source.bpf.c:")
    assert reason.startswith("the verifier gave up after 1000001 instructions")
    assert node.chain() == ["one"]


# Verified by itself, as a global function is where its type is known, it would be refused: what it
# is given might be NULL.
SEPARATE = """
#define SEC(name) __attribute__((section(name), used))
struct xdp_md { unsigned int data; };
__attribute__((noinline)) int verdict(const int *number) { return *number; }
SEC("xdp") int calls(struct xdp_md *context)
{
	volatile int two = 2;

	return verdict((const int *)&two);
}
char licence[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("visibility", ["default", "hidden"])
def test_types_do_not_keep_a_program_from_loading(node: LiveNode, visibility: str) -> None:
    hidden = '((noinline, visibility("hidden")))'
    source = SEPARATE if visibility == "default" else SEPARATE.replace("((noinline))", hidden)
    stock(node, "separate", "calls", compiled_object(source))
    assert install(node, "separate").chain == ("separate",)
    assert node.deliver(FRAMES) == FRAMES


SIZED = f"""{CHAIN}
[maps.flows]
max_entries = 64

[settings.flows_size]
type = "u32"
max_entries_of = "flows"
"""


def test_a_size_is_the_packages_or_the_operators(node: LiveNode) -> None:
    stock(node, "open", "look", fixture_bytes("open_size"), SIZED)
    install(node, "open")
    assert entries(node, "open", "flows") == 64
    with node.opened() as opened:
        opened.remove("open")
    install(node, "open", flows_size="1000")
    assert entries(node, "open", "flows") == 1000


def test_a_map_that_is_there_is_not_made_anew(node: LiveNode) -> None:
    stock(node, "open", "look", fixture_bytes("open_size"), SIZED)
    install(node, "open", flows_size="1000")
    with node.opened() as opened:
        with pytest.raises(SizeIsFixed, match="flows of open has 1000 entries") as caught:
            opened.set("open", {"flows_size": "2000"}, YES)
        assert "install it again" in caught.value.hint
        opened.set("open", {"flows_size": "1000"}, YES)
    assert entries(node, "open", "flows") == 1000


def test_a_map_that_memory_cannot_hold_is_told_with_its_size(node: LiveNode) -> None:
    stock(node, "open", "look", fixture_bytes("open_size"), SIZED)
    with pytest.raises(
        Unavailable, match=r"map 'flows' needs \d+ GB \(2,000,000,000 entries"
    ) as caught:
        install(node, "open", flows_size="2000000000")
    assert "[maps.flows] max_entries" in caught.value.hint
    with node.opened() as opened:
        assert opened.installed() == ()


PINNED = """
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
#define NUMBER(name, value) int (*name)[value]
struct xdp_md { u32 data; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { NUMBER(type, 1); NUMBER(max_entries, 1); NUMBER(pinning, 1); u32 *key; u32 *value; }
	shared SEC(".maps");
SEC("xdp") int shares(struct xdp_md *context)
{
	u32 first = 0;

	return lookup(&shared, &first) ? 1 : 2;
}

char licence[] SEC("license") = "GPL";
"""


def test_a_map_pinned_by_name_is_said_to_be_the_deployments_own(node: LiveNode) -> None:
    stock(node, "shares", "shares", compiled_object(PINNED))
    request = InstallRequest(parse_reference("skep/shares:1.0.0"), node.on, answer=YES)
    with node.opened() as opened:
        assert opened.preview(request).own_maps == ("shared",)
        opened.install(replace(request, name="one"))
        opened.install(replace(request, name="two"))
    with PinRoot(node.settings.bpffs) as pins:
        numbers = []
        for name in ("one", "two"):
            with pins.open_map("maps", name, "shared") as loaded:
                numbers.append(loaded.id)
    assert len(set(numbers)) == 2


@pytest.fixture
def pins(node: LiveNode) -> Iterator[PinRoot]:
    node.install("port-filter")  # mounts
    with PinRoot(node.settings.bpffs) as made:
        yield made


def test_types_that_the_kernel_refuses_are_left_out_where_nothing_needs_them(
    pins: PinRoot,
) -> None:
    kernel = KernelAdapter(pins)
    typed = replace(MapPlan("typed", 1, 4, 8, 4), key_type_id=1, value_type_id=2)
    kernel.create_map("limit", "typed", typed, b"no types at all")
    kernel.load(returning(2), [MapPin("limit", "typed", typed)], "name", b"no types").close()
    with pytest.raises(Refused, match="refused the object's types"):
        kernel.create_map("limit", "needing", replace(typed, needs_types=True), b"no types")
    assert "needing" not in kernel.pinned_maps()["limit"]


def test_a_map_without_types_is_not_the_one_that_needs_them(pins: PinRoot) -> None:
    kernel = KernelAdapter(pins)
    plan = MapPlan("guards", 1, 4, 8, 4)
    kernel.create_map("limit", "guards", plan)
    pin = MapPin("limit", "guards", replace(plan, needs_types=True))
    with pytest.raises(PinInTheWay, match="to have the types of its object"):
        kernel.load(returning(2), [pin], "name")


def test_all_maps_of_a_deployment_share_their_types(pins: PinRoot) -> None:
    kernel = KernelAdapter(pins)
    settings = LinkSettings(programs=frozenset({"counts"}))
    plan = link(fixture("value_fields"), None, settings)
    for each in plan.maps:
        kernel.create_map("sharing", each.name, each, plan.btf)
    numbers = set()
    for each in plan.maps:
        with pins.open_map("maps", "sharing", each.name) as loaded:
            numbers.add(loaded.types_id)
    assert len(numbers) == 1
    assert numbers != {0}


@pytest.mark.parametrize("name", fixture_names())
def test_types_made_for_older_kernels_are_valid(name: str) -> None:
    btf = TypeFacts(fixture(name)).btf
    if btf is None:
        return
    with load_types(btf), load_types(older_types(btf) or btf):
        pass
