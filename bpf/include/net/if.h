/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Network interfaces, from the kernel's headers. */
#ifndef SKEP_NET_IF_H
#define SKEP_NET_IF_H

#include <linux/if.h>

#define IF_NAMESIZE IFNAMSIZ

#endif
