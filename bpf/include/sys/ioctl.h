/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers of requests, from the kernel's headers; a program makes none. */
#ifndef SKEP_SYS_IOCTL_H
#define SKEP_SYS_IOCTL_H

#include <linux/ioctl.h>

#endif
