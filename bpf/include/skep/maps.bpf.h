/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps as BTF definitions:
 *
 *     struct {
 *             MAP_TYPE(BPF_MAP_TYPE_HASH);
 *             MAP_KEY(__u16);
 *             MAP_VALUE(__u8);
 *             MAP_ENTRIES(64);
 *     } ports SEC(".maps");
 *
 * A number is the length of an array that a member points to; a type is what a member points to.
 * COUNTER(name) is a map with one 64-bit counter for each CPU; count(&name) adds one to it.
 */
#ifndef SKEP_MAPS_BPF_H
#define SKEP_MAPS_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <skep/helpers.bpf.h>
#include <skep/sections.bpf.h>

#define MAP_NUMBER(member, number) int (*member)[number]
#define MAP_TYPE(number) MAP_NUMBER(type, number)
#define MAP_ENTRIES(number) MAP_NUMBER(max_entries, number)
#define MAP_FLAGS(number) MAP_NUMBER(map_flags, number)
#define MAP_KEY(c_type) c_type *key
#define MAP_VALUE(c_type) c_type *value

#define COUNTER(name)                            \
	struct {                                 \
		MAP_TYPE(BPF_MAP_TYPE_PERCPU_ARRAY); \
		MAP_KEY(__u32);                  \
		MAP_VALUE(__u64);                \
		MAP_ENTRIES(1);                  \
	} name SEC(".maps")

/* Needs no atomic operation: nothing else runs on this CPU between load and store. */
static __always_inline void count(void *counter)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(counter, &key);

	if (value)
		*value += 1;
}

#endif
