/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers of errors, from the kernel's headers. There is no variable errno in a program. */
#ifndef SKEP_ERRNO_H
#define SKEP_ERRNO_H

#include <linux/errno.h>

#endif
