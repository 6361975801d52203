/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Helper functions of the kernel, with the types that they take.
 */
#ifndef SKEP_HELPERS_BPF_H
#define SKEP_HELPERS_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helper_defs.h>

#endif
