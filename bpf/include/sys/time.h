/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Times as structures, from the kernel's headers. */
#ifndef SKEP_SYS_TIME_H
#define SKEP_SYS_TIME_H

#include <time.h>

#endif
