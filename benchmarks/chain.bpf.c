// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One member of a chain in three shapes, for benchmarks/chain.py.
 *
 * The body counts in a per-CPU array and lets through what is below a limit that is never reached:
 * its verdict is not known before it runs, so that neither the compiler nor the verifier can leave
 * out the question whether the chain goes on.
 */
#include <skep/helpers.bpf.h>
#include <skep/maps.bpf.h>
#include <skep/sections.bpf.h>

#define LIMIT (1ULL << 62)

static __always_inline int body(void *counter)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(counter, &key);

	if (!value)
		return XDP_ABORTED;
	*value += 1;
	return *value < LIMIT ? XDP_PASS : XDP_DROP;
}

#if defined(SPLICED)

COUNTER(counter);

SEC("xdp") int member(struct xdp_md *ctx)
{
	return body(&counter);
}

#elif defined(TAIL)

COUNTER(counter);

struct {
	MAP_TYPE(BPF_MAP_TYPE_PROG_ARRAY);
	MAP_KEY(__u32);
	MAP_VALUE(__u32);
	MAP_ENTRIES(1);
} next SEC(".maps");

SEC("xdp") int member(struct xdp_md *ctx)
{
	int verdict = body(&counter);

	if (verdict == XDP_PASS)
		bpf_tail_call(ctx, &next, 0);
	return verdict;
}

#elif defined(CALL)

#define MEMBER(n)                                               \
	COUNTER(counter##n);                                    \
	static __noinline int member##n(struct xdp_md *ctx)     \
	{                                                       \
		return body(&counter##n);                       \
	}
#define GO_ON(n)                                                \
	if (CALL > n) {                                         \
		verdict = member##n(ctx);                       \
		if (verdict != XDP_PASS)                        \
			return verdict;                         \
	}

MEMBER(0)
MEMBER(1)
MEMBER(2)
MEMBER(3)
MEMBER(4)
MEMBER(5)
MEMBER(6)
MEMBER(7)
MEMBER(8)
MEMBER(9)

SEC("xdp") int dispatcher(struct xdp_md *ctx)
{
	int verdict;

	GO_ON(0)
	GO_ON(1)
	GO_ON(2)
	GO_ON(3)
	GO_ON(4)
	GO_ON(5)
	GO_ON(6)
	GO_ON(7)
	GO_ON(8)
	GO_ON(9)
	return XDP_PASS;
}

#endif

LICENSE("Dual BSD/GPL");
