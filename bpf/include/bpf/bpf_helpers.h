/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sections, map definitions, helper functions and what programs need all the time, by the names
 * that libbpf gave them.
 *
 * Written for Skep. Names and meanings: libbpf's documentation; what the kernel makes of a section
 * or a tag: Documentation/bpf of Linux 6.18; helper functions: include/uapi/linux/bpf.h.
 * Include linux/types.h, linux/bpf.h or vmlinux.h before: __u32 and its like come from there.
 */
#ifndef SKEP_BPF_HELPERS_H
#define SKEP_BPF_HELPERS_H

#include <bpf/bpf_helper_defs.h>

/* Where things go in the object file. `used` means nothing for a type, nor for an extern. */
#define SEC(name)                                                    \
	_Pragma("clang diagnostic push")                             \
	_Pragma("clang diagnostic ignored \"-Wignored-attributes\"") \
	__attribute__((section(name), used))                         \
	_Pragma("clang diagnostic pop")

/* How functions are compiled and bound. */
#undef __always_inline /* linux/stddef.h has its own */
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
/* Global in the object, static for the verifier: it is not verified on its own. */
#define __hidden __attribute__((visibility("hidden")))

/* Attributes of a map: a number is the length of an array that a member points to. */
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
/* A number of 64 bits: the value of an enumerator, of which each needs a name of its own. */
#define __skep_paste(a, b) a##b
#define __skep_concat(a, b) __skep_paste(a, b)
#define __ulong(name, value) enum { __skep_concat(__unique_value, __COUNTER__) = value } name

/* Variables whose value the loader knows, and functions and variables of the kernel. */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))
/* Does it exist in this kernel? Of a symbol that is not weak the answer would always be yes. */
#define bpf_ksym_exists(symbol)                                                             \
	({                                                                                  \
		_Static_assert(!__builtin_constant_p(!!symbol), #symbol " must be __weak"); \
		!!symbol;                                                                   \
	})

/* Tags that the verifier reads in BTF. */
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __uptr __attribute__((btf_type_tag("uptr")))
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

#ifndef NULL
#define NULL ((void *)0)
#endif

#ifndef likely
#define likely(condition) __builtin_expect(!!(condition), 1)
#endif
#ifndef unlikely
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

/* Where a member is; of a type that is relocated, this is, too, and is then no constant. */
#undef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)

/* From a member to what it is in. */
#undef container_of
#define container_of(pointer, type, member)                         \
	({                                                          \
		void *__skep_member = (void *)(pointer);            \
		((type *)(__skep_member - offsetof(type, member))); \
	})

/* The compiler moves no access to memory across this. */
#ifndef barrier
#define barrier() __asm__ __volatile__("" ::: "memory")
#endif
/* The compiler forgets what it knows of a variable: a check before it is kept. */
#ifndef barrier_var
#define barrier_var(variable) __asm__ __volatile__("" : "+r"(variable))
#endif

/* Ends the compilation if this is reached by anything but dead code. */
#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_trap()
#endif

#ifndef KERNEL_VERSION
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif

/* Values for __uint(pinning, …). */
enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME,
};

/* Values of a __kconfig variable for an option that may be built as a module. */
enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/*
 * A tail call whose slot is written into the instruction, so that the verifier knows it and the
 * kernel may jump directly.
 */
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 slot)
{
	if (!__builtin_constant_p(slot))
		__bpf_unreachable();
	__asm__ __volatile__("r1 = %0; r2 = %1; r3 = %2; call 12" /* the number of bpf_tail_call */
			     : /* returns only if there is no program */
			     : "r"(ctx), "r"(map), "i"(slot)
			     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
}

/* Number of arguments, up to 16. */
#define __skep_17th(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, n, ...) n
#define __skep_count(...) \
	__skep_17th(_, ##__VA_ARGS__, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* Arguments of a format as the kernel takes them: an array of 64-bit values. */
#define __skep_values0(to)
#define __skep_values1(to, x, ...) to[0] = (unsigned long long)(x);
#define __skep_values2(to, x, ...) __skep_values1(to, x) __skep_values1((to + 1), __VA_ARGS__)
#define __skep_values3(to, x, ...) __skep_values1(to, x) __skep_values2((to + 1), __VA_ARGS__)
#define __skep_values4(to, x, ...) __skep_values1(to, x) __skep_values3((to + 1), __VA_ARGS__)
#define __skep_values5(to, x, ...) __skep_values1(to, x) __skep_values4((to + 1), __VA_ARGS__)
#define __skep_values6(to, x, ...) __skep_values1(to, x) __skep_values5((to + 1), __VA_ARGS__)
#define __skep_values7(to, x, ...) __skep_values1(to, x) __skep_values6((to + 1), __VA_ARGS__)
#define __skep_values8(to, x, ...) __skep_values1(to, x) __skep_values7((to + 1), __VA_ARGS__)
#define __skep_values9(to, x, ...) __skep_values1(to, x) __skep_values8((to + 1), __VA_ARGS__)
#define __skep_values10(to, x, ...) __skep_values1(to, x) __skep_values9((to + 1), __VA_ARGS__)
#define __skep_values11(to, x, ...) __skep_values1(to, x) __skep_values10((to + 1), __VA_ARGS__)
#define __skep_values12(to, x, ...) __skep_values1(to, x) __skep_values11((to + 1), __VA_ARGS__)
#define __skep_values(to, ...) \
	__skep_concat(__skep_values, __skep_count(__VA_ARGS__))(to, ##__VA_ARGS__)

/* The format becomes a constant of the program, the arguments an array. */
#define __skep_formatted(format, call, ...)                                                       \
	({                                                                                        \
		static const char __skep_format[] = format;                                       \
		unsigned long long __skep_array[__skep_count(__VA_ARGS__) + 1];                   \
		const unsigned int __skep_bytes = sizeof(__skep_array) - sizeof(__skep_array[0]); \
		_Pragma("clang diagnostic push")                                                  \
		_Pragma("clang diagnostic ignored \"-Wint-conversion\"")                          \
		_Pragma("clang diagnostic ignored \"-Wpointer-to-int-cast\"")                     \
		__skep_values(__skep_array, ##__VA_ARGS__)                                        \
		_Pragma("clang diagnostic pop")                                                   \
		call;                                                                             \
	})

/* Kernels before 5.2 have no data of programs: their formats are on the stack. */
#ifdef BPF_NO_GLOBAL_DATA
#define BPF_PRINTK_FMT_MOD
#else
#define BPF_PRINTK_FMT_MOD static const
#endif

/* Up to three arguments with bpf_trace_printk, more (Linux 5.16) with bpf_trace_vprintk. */
#define __bpf_printk(format, ...)                                                      \
	({                                                                             \
		BPF_PRINTK_FMT_MOD char __skep_format[] = format;                      \
		bpf_trace_printk(__skep_format, sizeof(__skep_format), ##__VA_ARGS__); \
	})
#define __bpf_vprintk(format, ...)                                                                            \
	__skep_formatted(format,                                                                              \
			 bpf_trace_vprintk(__skep_format, sizeof(__skep_format), __skep_array, __skep_bytes), \
			 ##__VA_ARGS__)
#define __skep_printk0 __bpf_printk
#define __skep_printk1 __bpf_printk
#define __skep_printk2 __bpf_printk
#define __skep_printk3 __bpf_printk
#define __skep_printk4 __bpf_vprintk
#define __skep_printk5 __bpf_vprintk
#define __skep_printk6 __bpf_vprintk
#define __skep_printk7 __bpf_vprintk
#define __skep_printk8 __bpf_vprintk
#define __skep_printk9 __bpf_vprintk
#define __skep_printk10 __bpf_vprintk
#define __skep_printk11 __bpf_vprintk
#define __skep_printk12 __bpf_vprintk
#define bpf_printk(format, ...) \
	__skep_concat(__skep_printk, __skep_count(__VA_ARGS__))(format, ##__VA_ARGS__)

/* Into the text of an iterator. */
#define BPF_SEQ_PRINTF(seq, format, ...)                                                                        \
	__skep_formatted(format,                                                                                \
			 bpf_seq_printf(seq, __skep_format, sizeof(__skep_format), __skep_array, __skep_bytes), \
			 ##__VA_ARGS__)

/* Into a buffer of the program. */
#define BPF_SNPRINTF(out, out_bytes, format, ...)                                                         \
	__skep_formatted(format, bpf_snprintf(out, out_bytes, __skep_format, __skep_array, __skep_bytes), \
			 ##__VA_ARGS__)

/* Open-coded iterators (Linux 6.4): loops of which the verifier needs to see one turn. */
struct bpf_iter_num;

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/*
 * Each declares the iterator and, in one declaration with it, the pointer that begins it and then
 * walks; the compiler destroys the iterator however the loop is left. Older clangs declare a function
 * that only an attribute names in no BTF, hence its name a second time.
 */
#define __skep_iterate(type, ...)                                                         \
	struct type __skep_iterator __attribute__((aligned(8), cleanup(type##_destroy))), \
		*__skep_at = ((void)type##_destroy,                                       \
			      type##_new(&__skep_iterator, ##__VA_ARGS__), &__skep_iterator)

/* for each element `current` of an iterator of the kernel: bpf_for_each(task, task, NULL, 0) {} */
#ifndef bpf_for_each
#define bpf_for_each(kind, current, ...)                     \
	for (__skep_iterate(bpf_iter_##kind, ##__VA_ARGS__); \
	     ((current) = bpf_iter_##kind##_next(__skep_at)) != NULL;)
#endif

/*
 * for each number i of start .. end - 1. The bounds are said again, so that the verifier knows them
 * of the number.
 */
#ifndef bpf_for
#define bpf_for(i, start, end)                                                               \
	for (__skep_iterate(bpf_iter_num, (start), (end)); ({                                \
		     int *__skep_number = bpf_iter_num_next(__skep_at);                      \
                                                                                             \
		     __skep_number && ((i) = *__skep_number, (i) >= (start) && (i) < (end)); \
	     });)
#endif

/* So many times, or until break. */
#ifndef bpf_repeat
#define bpf_repeat(times) for (__skep_iterate(bpf_iter_num, 0, (times)); bpf_iter_num_next(__skep_at);)
#endif

#endif
