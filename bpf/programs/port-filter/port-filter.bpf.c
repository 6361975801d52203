// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Drops TCP and UDP packets to listed ports.
 *
 * Of a packet in fragments the first one is dropped, so that the others are never put together.
 */
#include <skep/helpers.bpf.h>
#include <skep/maps.bpf.h>
#include <skep/packets.bpf.h>
#include <skep/sections.bpf.h>

struct {
	MAP_TYPE(BPF_MAP_TYPE_HASH);
	MAP_KEY(__u16);
	MAP_VALUE(__u8);
	MAP_ENTRIES(1024);
} pf_ports SEC(".maps"); /* closed destination ports; the value means nothing */

COUNTER(pf_seen);
COUNTER(pf_dropped);

SEC("xdp")
int port_filter(struct xdp_md *ctx)
{
	struct packet packet;
	__u16 port;

	if (!parse_packet(ctx, &packet))
		return XDP_PASS;
	if (packet.protocol != IPPROTO_TCP && packet.protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (!destination_port(&packet, &port))
		return XDP_PASS;

	count(&pf_seen);
	if (!bpf_map_lookup_elem(&pf_ports, &port))
		return XDP_PASS;
	count(&pf_dropped);
	return XDP_DROP;
}

LICENSE("Dual BSD/GPL");
