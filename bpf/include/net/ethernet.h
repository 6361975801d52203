/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, from the kernel's headers; names of user space: IEEE 802.3 numbers. */
#ifndef SKEP_NET_ETHERNET_H
#define SKEP_NET_ETHERNET_H

#include <linux/if_ether.h>
#include <linux/types.h>

struct ether_addr {
	__u8 ether_addr_octet[ETH_ALEN];
} __attribute__((packed));

struct ether_header {
	__u8 ether_dhost[ETH_ALEN];
	__u8 ether_shost[ETH_ALEN];
	__be16 ether_type;
} __attribute__((packed));

#define ETHER_ADDR_LEN ETH_ALEN
#define ETHERTYPE_IP ETH_P_IP
#define ETHERTYPE_ARP ETH_P_ARP
#define ETHERTYPE_VLAN ETH_P_8021Q
#define ETHERTYPE_IPV6 ETH_P_IPV6

#endif
