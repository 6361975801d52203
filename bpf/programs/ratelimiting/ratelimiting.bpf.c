// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Limits new TCP connections per second to listed ports, over a sliding window of one second.
 *
 * The window is made of two counters, one for the current second and one for the one before it.
 * The older one counts for as much of it as still lies within the last second:
 *
 *     weight = percent of the current second that is still to come
 *     weight * previous / 100 + current >= rate      then drop
 *
 * The rate is one for all listed ports together. It may be exceeded by as many connections as
 * there are CPUs, because looking at a counter and adding to it are two steps.
 */
#include <skep/helpers.bpf.h>
#include <skep/maps.bpf.h>
#include <skep/packets.bpf.h>
#include <skep/sections.bpf.h>

#define SECOND 1000000000ULL

struct {
	MAP_TYPE(BPF_MAP_TYPE_ARRAY);
	MAP_KEY(__u32);
	MAP_VALUE(__u64);
	MAP_ENTRIES(1);
} rl_config SEC(".maps"); /* [0]: new connections allowed per second */

struct {
	MAP_TYPE(BPF_MAP_TYPE_HASH);
	MAP_KEY(__u16);
	MAP_VALUE(__u8);
	MAP_ENTRIES(1024);
} rl_ports SEC(".maps"); /* limited destination ports; the value means nothing */

struct {
	MAP_TYPE(BPF_MAP_TYPE_LRU_HASH);
	MAP_KEY(__u64);
	MAP_VALUE(__u64);
	MAP_ENTRIES(1000);
} rl_windows SEC(".maps"); /* start of a second, in ns, to connections let through in it */

COUNTER(rl_received);
COUNTER(rl_dropped);

/* Whether another connection may come in now; if so, it is counted. */
static __always_inline int let_in(__u64 rate, __u64 now)
{
	__u64 second = now - now % SECOND;
	__u64 second_before = second - SECOND;
	__u64 still_counting = 0;
	__u64 nothing = 0;
	__u64 *current, *previous;

	current = bpf_map_lookup_elem(&rl_windows, &second);
	if (!current) {
		/* Another CPU may be faster; then its counter is the one to use. */
		bpf_map_update_elem(&rl_windows, &second, &nothing, BPF_NOEXIST);
		current = bpf_map_lookup_elem(&rl_windows, &second);
		if (!current)
			return 1; /* no memory: let in rather than cut off */
	}
	previous = bpf_map_lookup_elem(&rl_windows, &second_before);
	if (previous) {
		__u64 weight = 100 - (now - second) * 100 / SECOND;

		still_counting = weight * *previous / 100;
	}
	if (still_counting + *current >= rate)
		return 0;
	__sync_fetch_and_add(current, 1);
	return 1;
}

SEC("xdp")
int ratelimiting(struct xdp_md *ctx)
{
	struct packet packet;
	__u32 zero = 0;
	__u64 *rate;
	__u16 port;
	int flags;

	if (!parse_packet(ctx, &packet) || packet.protocol != IPPROTO_TCP)
		return XDP_PASS;
	if (!destination_port(&packet, &port))
		return XDP_PASS;
	flags = tcp_flags(&packet);
	if (flags < 0) {
		/* Cut before its flags. As a first fragment it may become a SYN again (RFC 1858). */
		if (!packet.is_fragment)
			return XDP_PASS;
	} else if ((flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		return XDP_PASS;
	}
	if (!bpf_map_lookup_elem(&rl_ports, &port))
		return XDP_PASS;
	rate = bpf_map_lookup_elem(&rl_config, &zero);
	if (!rate)
		return XDP_PASS;

	count(&rl_received);
	if (let_in(*rate, bpf_ktime_get_ns()))
		return XDP_PASS;
	count(&rl_dropped);
	return XDP_DROP;
}

LICENSE("Dual BSD/GPL");
