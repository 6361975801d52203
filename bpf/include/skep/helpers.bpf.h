/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Helper functions of the kernel, by their numbers.
 *
 * Calling a constant address is how a program calls a helper: the compiler puts the number into
 * the call instruction. Those marked GPL need a licence string that is compatible with it.
 */
#ifndef SKEP_HELPERS_BPF_H
#define SKEP_HELPERS_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SKEP_HELPER(number, result, name, ...) \
	static result(*const name) __VA_ARGS__ __attribute__((unused)) = (void *)number

/* Maps */
SKEP_HELPER(1, void *, bpf_map_lookup_elem, (void *map, const void *key));
SKEP_HELPER(2, long, bpf_map_update_elem,
	    (void *map, const void *key, const void *value, __u64 flags));
SKEP_HELPER(3, long, bpf_map_delete_elem, (void *map, const void *key));
SKEP_HELPER(87, long, bpf_map_push_elem, (void *map, const void *value, __u64 flags));
SKEP_HELPER(88, long, bpf_map_pop_elem, (void *map, void *value));
SKEP_HELPER(89, long, bpf_map_peek_elem, (void *map, void *value));

/* Time, chance, place */
SKEP_HELPER(5, __u64, bpf_ktime_get_ns, (void));
SKEP_HELPER(125, __u64, bpf_ktime_get_boot_ns, (void));
SKEP_HELPER(7, __u32, bpf_get_prandom_u32, (void));
SKEP_HELPER(8, __u32, bpf_get_smp_processor_id, (void));

/* Who runs */
SKEP_HELPER(14, __u64, bpf_get_current_pid_tgid, (void));
SKEP_HELPER(15, __u64, bpf_get_current_uid_gid, (void));
SKEP_HELPER(16, long, bpf_get_current_comm, (void *buffer, __u32 bytes));
SKEP_HELPER(80, __u64, bpf_get_current_cgroup_id, (void));

/* Packets */
SKEP_HELPER(44, long, bpf_xdp_adjust_head, (struct xdp_md *ctx, int bytes));
SKEP_HELPER(65, long, bpf_xdp_adjust_tail, (struct xdp_md *ctx, int bytes));
SKEP_HELPER(23, long, bpf_redirect, (__u32 ifindex, __u64 flags));
SKEP_HELPER(51, long, bpf_redirect_map, (void *map, __u64 key, __u64 flags));
SKEP_HELPER(28, __s64, bpf_csum_diff,
	    (__be32 *from, __u32 from_bytes, __be32 *to, __u32 to_bytes, __wsum seed));

/* Going elsewhere */
SKEP_HELPER(12, long, bpf_tail_call, (void *ctx, void *program_array, __u32 index));

/* Telling user space */
SKEP_HELPER(6, long, bpf_trace_printk, (const char *format, __u32 bytes, ...)); /* GPL */
SKEP_HELPER(25, long, bpf_perf_event_output,
	    (void *ctx, void *map, __u64 flags, void *data, __u64 bytes)); /* GPL */
SKEP_HELPER(130, long, bpf_ringbuf_output, (void *ring, void *data, __u64 bytes, __u64 flags));
SKEP_HELPER(131, void *, bpf_ringbuf_reserve, (void *ring, __u64 bytes, __u64 flags));
SKEP_HELPER(132, void, bpf_ringbuf_submit, (void *data, __u64 flags));
SKEP_HELPER(133, void, bpf_ringbuf_discard, (void *data, __u64 flags));

/* Reading memory */
SKEP_HELPER(112, long, bpf_probe_read_user, (void *to, __u32 bytes, const void *from)); /* GPL */
SKEP_HELPER(113, long, bpf_probe_read_kernel, (void *to, __u32 bytes, const void *from)); /* GPL */
SKEP_HELPER(114, long, bpf_probe_read_user_str,
	    (void *to, __u32 bytes, const void *from)); /* GPL */
SKEP_HELPER(115, long, bpf_probe_read_kernel_str,
	    (void *to, __u32 bytes, const void *from)); /* GPL */

#endif
