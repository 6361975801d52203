/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header of UDP as the kernel names its fields. */
#ifndef SKEP_NETINET_UDP_H
#define SKEP_NETINET_UDP_H

#include <linux/udp.h>

#endif
