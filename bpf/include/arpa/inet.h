/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The order of bytes; addresses as text are not for programs. */
#ifndef SKEP_ARPA_INET_H
#define SKEP_ARPA_INET_H

#include <netinet/in.h>

#endif
