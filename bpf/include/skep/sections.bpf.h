/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where things go in the object file, and how functions are compiled: SEC, __always_inline,
 * __noinline.
 */
#ifndef SKEP_SECTIONS_BPF_H
#define SKEP_SECTIONS_BPF_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* The kernel licence of everything in the object: LICENSE("Dual BSD/GPL"); */
#define LICENSE(text) char skep_kernel_licence[] SEC("license") = text

#endif
