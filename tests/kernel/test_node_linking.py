"""A node and packages that ask something of its kernel: CO-RE, functions, configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.compiled import compiled_object
from tests.builders.live_node import YES, LiveNode, live_node
from tests.builders.objects import fixture_bytes
from tests.builders.packages import put_package
from tests.builders.packets import udp_frame
from tests.builders.published import make_package, toml
from tests.builders.trust import signer

from skep.bytecode.linking.errors import CannotLink
from skep.chains.member import CannotSplice
from skep.errors import Unsupported
from skep.kernel.kernel_types import VMLINUX
from skep.node.deploying.applying import Changed
from skep.node.deploying.installing import InstallRequest
from skep.node.verified.shelf import UnsupportedMap
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.references import parse_reference
from skep.trust.bundles import Subject, sign

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

CLOSED, OPEN = 8081, 8080

# Drops what is from the interface it was not told: the kernel's own structures say which it is,
# at offsets that only CO-RE knows, through a pointer that only a function of the kernel gives.
READS_DEVICE = """
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
struct net_device { int ifindex; } KERNEL;
struct xdp_rxq_info { struct net_device *dev; u32 queue_index; } KERNEL;
struct xdp_buff { struct xdp_rxq_info *rxq; } KERNEL;
extern void *bpf_cast_to_kern_ctx(void *context) __attribute__((section(".ksyms")));

SEC("xdp") int device(struct xdp_md *context)
{
	struct xdp_buff *buffer = bpf_cast_to_kern_ctx(context);
	return (u32)buffer->rxq->dev->ifindex == context->ingress_ifindex ? 2 : 1;
}

char licence[] SEC("license") = "GPL";
"""


# Needs the kernel's types, and a map of maps to be filled.
JUMPS = """
typedef unsigned int u32;
#define SEC(name) __attribute__((section(name), used))
#define NUMBER(name, value) int (*name)[value]
struct xdp_md { u32 data; };
extern void bpf_rcu_read_lock(void) __attribute__((section(".ksyms")));
extern void bpf_rcu_read_unlock(void) __attribute__((section(".ksyms")));
struct inner { NUMBER(type, 2); NUMBER(max_entries, 1); u32 *key; u32 *value; } first SEC(".maps");
struct { NUMBER(type, 12); NUMBER(max_entries, 1); u32 *key; struct inner *values[]; } outer
	SEC(".maps") = { .values = { &first } };

SEC("xdp") int jumps(struct xdp_md *context)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 2;
}

char licence[] SEC("license") = "GPL";
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def stock(node: LiveNode, name: str, program: str, data: bytes) -> None:
    """Put a package with one object on the node's shelf, signed."""
    made = make_package(toml(f"skep/{name}", program=program), objects={f"{name}.o": data})
    store = ContentStore(node.settings.content)
    put_package(store, made)
    bundle = sign(Subject(made.metadata.name, made.manifest.digest), signer())
    store_bundle(store, made.manifest, bundle)


def install(node: LiveNode, name: str) -> Changed:
    request = InstallRequest(parse_reference(f"skep/{name}:1.0.0"), node.on, answer=YES)
    with node.opened() as opened:
        return opened.install(request)


def test_a_program_that_reads_the_kernels_structures_runs_and_splices(node: LiveNode) -> None:
    stock(node, "device", "device", compiled_object(READS_DEVICE))
    assert install(node, "device").chain == ("device",)
    frames = [udp_frame(CLOSED), udp_frame(OPEN)]
    assert node.deliver(frames) == frames
    node.install("port-filter", ports=str(CLOSED))
    assert node.chain() == ["device", "port-filter"]
    assert node.deliver(frames) == [udp_frame(OPEN)]
    with node.opened() as opened:
        opened.move("device")
    assert node.chain() == ["port-filter", "device"]
    assert node.deliver(frames) == [udp_frame(OPEN)]


@pytest.mark.parametrize("program", ["calls", "configuration"])
def test_functions_and_configuration_of_the_kernel_are_put_in(node: LiveNode, program: str) -> None:
    stock(node, "asking", program, fixture_bytes("kfunc"))
    assert install(node, "asking").chain == ("asking",)
    with node.opened() as opened:
        opened.remove("asking")
        assert opened.installed() == ()


def test_the_kernels_types_are_read_for_those_that_need_them_only(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    assert not node.settings.kernel_types.exists()
    stock(node, "asking", "calls", fixture_bytes("kfunc"))
    install(node, "asking")
    (index,) = node.settings.kernel_types.iterdir()
    assert index.suffix == ".btf-index"
    assert node.settings.kernel_types.stat().st_mode & 0o777 == 0o700


def test_a_program_with_callbacks_runs_alone_and_in_no_chain(node: LiveNode) -> None:
    stock(node, "walking", "walk", fixture_bytes("callback"))
    assert install(node, "walking").chain == ("walking",)
    frames = [udp_frame(CLOSED)]
    assert node.deliver(frames) == frames
    with pytest.raises(CannotSplice, match="callbacks"):
        node.install("port-filter", ports=str(CLOSED))
    assert node.chain() == ["walking"]
    assert node.deliver(frames) == frames
    with node.opened() as opened:
        opened.remove("walking")
    node.install("port-filter", ports=str(CLOSED))
    with pytest.raises(CannotSplice, match="callbacks") as caught:
        install(node, "walking")
    assert caught.value.hint == "run it as the only program of its hook"
    assert node.chain() == ["port-filter"]


def test_storage_of_sockets_is_made_with_its_types(node: LiveNode) -> None:
    stock(node, "storage", "version", fixture_bytes("storage"))
    assert install(node, "storage").chain == ("storage",)


@pytest.mark.parametrize(
    ("data", "program", "reason"),
    [
        pytest.param(fixture_bytes("maps_of_maps"), "jump", CannotLink, id="map-of-maps"),
        pytest.param(compiled_object(JUMPS), "jumps", UnsupportedMap, id="linked-for-the-kernel"),
    ],
)
def test_maps_that_a_node_cannot_make_are_refused_before_anything_is_made(
    node: LiveNode, data: bytes, program: str, reason: type[Unsupported]
) -> None:
    stock(node, "nested", program, data)
    with pytest.raises(reason):
        install(node, "nested")
    with node.opened() as opened:
        assert opened.installed() == ()
        assert opened.history() == ()
