/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Types by their names in user space. Written for Skep; sizes: asm-generic/posix_types.h. */
#ifndef SKEP_SYS_TYPES_H
#define SKEP_SYS_TYPES_H

#include <stddef.h>
#include <linux/types.h>

typedef __kernel_pid_t pid_t;
typedef __kernel_uid32_t uid_t;
typedef __kernel_gid32_t gid_t;
typedef __kernel_loff_t off_t;
typedef __kernel_ssize_t ssize_t;
typedef __u8 u_int8_t;
typedef __u16 u_int16_t;
typedef __u32 u_int32_t;
typedef __u64 u_int64_t;

#endif
