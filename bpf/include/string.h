/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What there is of string.h in a program: no function is called; the compiler writes the loads and
 * stores. Lengths must be constants, and small. Written for Skep; meanings: ISO C11, 7.24.
 */
#ifndef SKEP_STRING_H
#define SKEP_STRING_H

#include <stddef.h>

#define memcpy(to, from, bytes) __builtin_memcpy((to), (from), (bytes))
#define memmove(to, from, bytes) __builtin_memmove((to), (from), (bytes))
#define memset(to, value, bytes) __builtin_memset((to), (value), (bytes))
#define memcmp(a, b, bytes) __skep_memcmp((a), (b), (bytes))

/* The compiler would call a function for it unless the result is only compared with zero. */
static inline __attribute__((always_inline, unused)) int __skep_memcmp(const void *a, const void *b,
								       size_t bytes)
{
	const unsigned char *left = (const unsigned char *)a, *right = (const unsigned char *)b;

	for (size_t n = 0; n < bytes; n++)
		if (left[n] != right[n])
			return left[n] - right[n];
	return 0;
}

#endif
