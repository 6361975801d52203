/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header of IPv6 as the kernel names its fields. */
#ifndef SKEP_NETINET_IP6_H
#define SKEP_NETINET_IP6_H

#include <linux/ipv6.h>
#include <netinet/in.h>

#endif
