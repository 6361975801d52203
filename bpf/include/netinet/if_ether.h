/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, from the kernel's headers. */
#ifndef SKEP_NETINET_IF_ETHER_H
#define SKEP_NETINET_IF_ETHER_H

#include <net/ethernet.h>

#endif
