/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers on the wire are big-endian; these turn them to and from those of the program.
 *
 * Written for Skep; the names are libbpf's. Constants stay constant expressions (case labels,
 * initialisers): clang folds the builtins.
 */
#ifndef SKEP_BPF_ENDIAN_H
#define SKEP_BPF_ENDIAN_H

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __skep_big16(value) __builtin_bswap16((__u16)(value))
#define __skep_big32(value) __builtin_bswap32((__u32)(value))
#define __skep_big64(value) __builtin_bswap64((__u64)(value))
#define __skep_little16(value) ((__u16)(value))
#define __skep_little32(value) ((__u32)(value))
#define __skep_little64(value) ((__u64)(value))
#else
#define __skep_big16(value) ((__u16)(value))
#define __skep_big32(value) ((__u32)(value))
#define __skep_big64(value) ((__u64)(value))
#define __skep_little16(value) __builtin_bswap16((__u16)(value))
#define __skep_little32(value) __builtin_bswap32((__u32)(value))
#define __skep_little64(value) __builtin_bswap64((__u64)(value))
#endif

#define bpf_htons(value) __skep_big16(value)
#define bpf_ntohs(value) __skep_big16(value)
#define bpf_htonl(value) __skep_big32(value)
#define bpf_ntohl(value) __skep_big32(value)
#define bpf_cpu_to_be16(value) __skep_big16(value)
#define bpf_be16_to_cpu(value) __skep_big16(value)
#define bpf_cpu_to_be32(value) __skep_big32(value)
#define bpf_be32_to_cpu(value) __skep_big32(value)
#define bpf_cpu_to_be64(value) __skep_big64(value)
#define bpf_be64_to_cpu(value) __skep_big64(value)
#define bpf_cpu_to_le16(value) __skep_little16(value)
#define bpf_le16_to_cpu(value) __skep_little16(value)
#define bpf_cpu_to_le32(value) __skep_little32(value)
#define bpf_le32_to_cpu(value) __skep_little32(value)
#define bpf_cpu_to_le64(value) __skep_little64(value)
#define bpf_le64_to_cpu(value) __skep_little64(value)

#define __bpf_htons(value) bpf_htons(value)
#define __bpf_ntohs(value) bpf_ntohs(value)
#define __bpf_htonl(value) bpf_htonl(value)
#define __bpf_ntohl(value) bpf_ntohl(value)
#define __bpf_constant_htons(value) bpf_htons(value)
#define __bpf_constant_ntohs(value) bpf_ntohs(value)
#define __bpf_constant_htonl(value) bpf_htonl(value)
#define __bpf_constant_ntohl(value) bpf_ntohl(value)
#define __bpf_constant_cpu_to_be64(value) bpf_cpu_to_be64(value)
#define __bpf_constant_be64_to_cpu(value) bpf_be64_to_cpu(value)

#endif
