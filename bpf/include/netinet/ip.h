/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header of IPv4 as the kernel names its fields. */
#ifndef SKEP_NETINET_IP_H
#define SKEP_NETINET_IP_H

#include <linux/ip.h>
#include <netinet/in.h>

#endif
