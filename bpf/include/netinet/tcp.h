/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header of TCP as the kernel names its fields. */
#ifndef SKEP_NETINET_TCP_H
#define SKEP_NETINET_TCP_H

#include <linux/tcp.h>

#endif
