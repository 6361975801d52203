/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where things go in the object file, and how functions are compiled.
 */
#ifndef SKEP_SECTIONS_BPF_H
#define SKEP_SECTIONS_BPF_H

#define SEC(name) __attribute__((section(name), used))

#undef __always_inline /* linux/stddef.h of some systems has its own */
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

/* The kernel licence of everything in the object: LICENSE("Dual BSD/GPL"); */
#define LICENSE(text) char skep_kernel_licence[] SEC("license") = text

#endif
