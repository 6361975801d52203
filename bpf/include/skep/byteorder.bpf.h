/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers on the wire are big-endian; these turn them to and from those of the program.
 */
#ifndef SKEP_BYTEORDER_BPF_H
#define SKEP_BYTEORDER_BPF_H

#include <linux/types.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SKEP_SWAP(bits, value) __builtin_bswap##bits(value)
/* For constants, where the compiler must see a constant expression (case labels). */
#define SKEP_CONSTANT16(value) ((__be16)((((value) & 0xff) << 8) | (((value) >> 8) & 0xff)))
#else
#define SKEP_SWAP(bits, value) (value)
#define SKEP_CONSTANT16(value) ((__be16)(value))
#endif

#define bpf_ntohs(value) ((__u16)SKEP_SWAP(16, value))
#define bpf_ntohl(value) ((__u32)SKEP_SWAP(32, value))
#define bpf_be64_to_cpu(value) ((__u64)SKEP_SWAP(64, value))
#define bpf_htons(value) ((__be16)SKEP_SWAP(16, value))
#define bpf_htonl(value) ((__be32)SKEP_SWAP(32, value))
#define bpf_cpu_to_be64(value) ((__be64)SKEP_SWAP(64, value))

#endif
