/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses and protocols of the internet, from the kernel's headers, and the order of bytes.
 * Written for Skep; names: POSIX.1-2017.
 */
#ifndef SKEP_NETINET_IN_H
#define SKEP_NETINET_IN_H

#include <sys/socket.h>
#include <linux/in.h>
#include <linux/in6.h>

#include <bpf/bpf_endian.h>

typedef __u16 in_port_t;
typedef __u32 in_addr_t;

#ifndef ntohs
#define ntohs(value) bpf_ntohs(value)
#define ntohl(value) bpf_ntohl(value)
#define htons(value) bpf_htons(value)
#define htonl(value) bpf_htonl(value)
#endif

#define INET_ADDRSTRLEN 16
#define INET6_ADDRSTRLEN 46

#endif
