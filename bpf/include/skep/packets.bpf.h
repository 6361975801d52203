/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to its transport header, with every access checked.
 *
 *     struct packet packet;
 *
 *     if (!parse_packet(ctx, &packet) || packet.protocol != IPPROTO_TCP)
 *             return XDP_PASS;
 *
 * Understood: up to two VLAN tags (802.1Q, 802.1ad); IPv4 with options; IPv6 with up to six
 * extension headers. The later fragments of a packet have no transport header and are not parsed;
 * of the first fragment the ports are always there, the rest of the header may not be.
 */
#ifndef SKEP_PACKETS_BPF_H
#define SKEP_PACKETS_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>

#include <skep/byteorder.bpf.h>
#include <skep/sections.bpf.h>

#define PACKET_VLAN_TAGS 2
#define PACKET_IPV6_EXTENSIONS 6

/* Bits of the 14th byte of a TCP header. */
#define TCP_FLAG_BYTE 13
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Extension headers of IPv6 by number. */
#define PACKET_HOP_BY_HOP 0
#define PACKET_ROUTING 43
#define PACKET_FRAGMENT 44
#define PACKET_AUTHENTICATION 51
#define PACKET_DESTINATION 60

struct packet {
	void *network;	 /* the IPv4 or IPv6 header */
	void *transport; /* what follows it */
	void *end;	 /* of the packet */
	__u16 ethertype; /* behind VLAN tags, host byte order */
	__u8 protocol;	 /* IPPROTO_* of the transport header */
	__u8 is_fragment;
};

struct packet_ports {
	__be16 source;
	__be16 destination;
};

struct packet_vlan_tag {
	__be16 control;
	__be16 ethertype;
};

struct packet_ipv6_extension {
	__u8 next;
	__u8 length; /* in units that depend on the kind of header */
	__be16 fragment_offset; /* fragment header only: 13 bits, 2 reserved, more fragments */
};

/* Skip the Ethernet header and VLAN tags; NULL if the frame ends before. */
static __always_inline void *skip_ethernet(void *data, void *end, __u16 *ethertype)
{
	struct ethhdr *ethernet = data;
	void *next = ethernet + 1;
	__be16 type;

	if (next > end)
		return 0;
	type = ethernet->h_proto;
#pragma clang loop unroll(full)
	for (int i = 0; i < PACKET_VLAN_TAGS; i++) {
		struct packet_vlan_tag *tag = next;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return 0;
		type = tag->ethertype;
		next = tag + 1;
	}
	*ethertype = bpf_ntohs(type);
	return next;
}

static __always_inline int parse_ipv4(struct packet *packet)
{
	struct iphdr *header = packet->network;
	__u32 bytes;
	__u16 fragment;

	if ((void *)(header + 1) > packet->end || header->version != 4)
		return 0;
	bytes = header->ihl * 4;
	if (bytes < sizeof(*header))
		return 0;
	fragment = bpf_ntohs(header->frag_off);
	if (fragment & 0x1fff) /* not the first */
		return 0;
	packet->is_fragment = (fragment & 0x2000) != 0; /* more fragments follow */
	packet->protocol = header->protocol;
	packet->transport = packet->network + bytes;
	return packet->transport <= packet->end;
}

static __always_inline int parse_ipv6(struct packet *packet)
{
	struct ipv6hdr *header = packet->network;
	void *next = header + 1;
	__u8 protocol;

	if (next > packet->end || header->version != 6)
		return 0;
	protocol = header->nexthdr;
#pragma clang loop unroll(full)
	for (int i = 0; i < PACKET_IPV6_EXTENSIONS; i++) {
		struct packet_ipv6_extension *extension = next;
		__u32 bytes;

		if (protocol != PACKET_HOP_BY_HOP && protocol != PACKET_ROUTING &&
		    protocol != PACKET_DESTINATION && protocol != PACKET_FRAGMENT &&
		    protocol != PACKET_AUTHENTICATION)
			break;
		if ((void *)(extension + 1) > packet->end)
			return 0;
		bytes = (extension->length + 1) * 8;
		if (protocol == PACKET_FRAGMENT) {
			__u16 fragment = bpf_ntohs(extension->fragment_offset);

			if (fragment & 0xfff8) /* not the first */
				return 0;
			packet->is_fragment = fragment & 1; /* more fragments follow */
			bytes = 8;
		} else if (protocol == PACKET_AUTHENTICATION) {
			bytes = (extension->length + 2) * 4;
		}
		protocol = extension->next;
		next += bytes;
	}
	packet->protocol = protocol;
	packet->transport = next;
	return packet->transport <= packet->end;
}

/* 1 if there is an IPv4 or IPv6 packet with a transport header, or the start of one. */
static __always_inline int parse_packet(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data;

	packet->end = (void *)(long)ctx->data_end;
	packet->is_fragment = 0;
	packet->network = skip_ethernet(data, packet->end, &packet->ethertype);
	if (!packet->network)
		return 0;
	if (packet->ethertype == ETH_P_IP)
		return parse_ipv4(packet);
	if (packet->ethertype == ETH_P_IPV6)
		return parse_ipv6(packet);
	return 0;
}

/* 1 and the destination port, host byte order, of anything that begins with two ports. */
static __always_inline int destination_port(const struct packet *packet, __u16 *port)
{
	struct packet_ports *ports = packet->transport;

	if ((void *)(ports + 1) > packet->end)
		return 0;
	*port = bpf_ntohs(ports->destination);
	return 1;
}

/* Flags of a TCP header, or -1 if the packet ends before them. */
static __always_inline int tcp_flags(const struct packet *packet)
{
	__u8 *header = packet->transport;

	if ((void *)(header + TCP_FLAG_BYTE + 1) > packet->end)
		return -1;
	return header[TCP_FLAG_BYTE];
}

#endif
