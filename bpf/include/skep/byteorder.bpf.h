/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers on the wire are big-endian; these turn them to and from those of the program.
 */
#ifndef SKEP_BYTEORDER_BPF_H
#define SKEP_BYTEORDER_BPF_H

#include <linux/types.h>

#include <bpf/bpf_endian.h>

#endif
