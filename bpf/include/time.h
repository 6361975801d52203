/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Times as structures, from the kernel's headers; there is no clock to ask but helpers. */
#ifndef SKEP_TIME_H
#define SKEP_TIME_H

#include <linux/time.h>
#include <linux/types.h>

typedef __kernel_old_time_t time_t;

#endif
