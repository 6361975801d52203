"""Programs that throw, compiled and linked against the running kernel."""

from tests.builders.compiled import compiled_object
from tests.builders.kernels import running_types

from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object

SOURCE = """
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define HANDLED_BY(name) __attribute__((btf_decl_tag("exception_callback:" #name)))
#define LENGTH(context) (u32)((char *)(long)context->data_end - (char *)(long)context->data)
struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
extern void bpf_throw(u64 cookie) __attribute__((section(".ksyms")));
char licence[] SEC("license") = "GPL";
"""

IN_ENTRY = """
SEC("xdp") int throws(struct xdp_md *context)
{
	if (LENGTH(context) < 40)
		bpf_throw(2);
	if (LENGTH(context) < 50)
		bpf_throw(1);
	return 3;
}
"""

IN_SUBPROGRAM = """
static __attribute__((noinline)) int check(u32 length)
{
	if (length < 40)
		bpf_throw(2);
	return length;
}

SEC("xdp") int throws(struct xdp_md *context)
{
	return check(LENGTH(context)) ? 3 : 2;
}
"""

WITH_CALLBACK = """
__attribute__((noinline)) int handle(u64 cookie)
{
	return cookie + 1;
}

SEC("xdp") HANDLED_BY(handle) int throws(struct xdp_md *context)
{
	if (LENGTH(context) < 40)
		bpf_throw(2);
	return 1;
}
"""


def throwing_plan(body: str) -> LoadPlan:
    """The load plan of one of the programs above."""
    return link(read_object(compiled_object(SOURCE + body)), running_types(), LinkSettings())
