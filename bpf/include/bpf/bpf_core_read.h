/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading structures of the kernel wherever their fields are in the kernel that runs.
 *
 *     pid_t parent = BPF_CORE_READ(task, real_parent, tgid);
 *     if (bpf_core_field_exists(task->loginuid)) …
 *
 * Written for Skep. Names and meanings: libbpf's documentation; the builtins and the numbers of
 * their kinds: clang's language extensions and Documentation/bpf/llvm_reloc.rst of Linux 6.18.
 */
#ifndef SKEP_BPF_CORE_READ_H
#define SKEP_BPF_CORE_READ_H

#include <bpf/bpf_helpers.h>

/* Of its own, for a macro is not expanded within itself: tracing macros read registers with these. */
#define __skep_core_paste(a, b) a##b
#define __skep_core_concat(a, b) __skep_core_paste(a, b)

enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

/* A field as an expression (task->pid), or as a type and a path in it (struct task_struct, pid). */
#define __skep_field1(field) (field)
#define __skep_field2(type, field) (((typeof(type) *)0)->field)
#define __skep_field(...) __skep_core_concat(__skep_field, __skep_count(__VA_ARGS__))(__VA_ARGS__)

#define bpf_core_field_exists(...) \
	__builtin_preserve_field_info(__skep_field(__VA_ARGS__), BPF_FIELD_EXISTS)
#define bpf_core_field_size(...) \
	__builtin_preserve_field_info(__skep_field(__VA_ARGS__), BPF_FIELD_BYTE_SIZE)
#define bpf_core_field_offset(...) \
	__builtin_preserve_field_info(__skep_field(__VA_ARGS__), BPF_FIELD_BYTE_OFFSET)

#define bpf_core_type_exists(type) \
	__builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_EXISTS)
#define bpf_core_type_size(type) __builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_SIZE)
#define bpf_core_type_matches(type) \
	__builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_MATCHES)
#define bpf_core_type_id_local(type) \
	__builtin_btf_type_id(*(typeof(type) *)0, BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) \
	__builtin_btf_type_id(*(typeof(type) *)0, BPF_TYPE_ID_TARGET)

#define bpf_core_enum_value_exists(type, enumerator) \
	__builtin_preserve_enum_value(*(typeof(type) *)enumerator, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(type, enumerator) \
	__builtin_preserve_enum_value(*(typeof(type) *)enumerator, BPF_ENUMVAL_VALUE)

/* A pointer of any kind as one that may be read through, but not written (Linux 6.2). */
extern void *bpf_rdonly_cast(const void *pointer, __u32 btf_id) __ksym __weak;
#define bpf_core_cast(pointer, type) \
	((typeof(type) *)bpf_rdonly_cast((pointer), bpf_core_type_id_kernel(type)))

/* Read so many bytes at an address that is relocated: &task->comm. */
#define bpf_core_read(to, bytes, from) \
	bpf_probe_read_kernel(to, bytes, (const void *)__builtin_preserve_access_index(from))
#define bpf_core_read_user(to, bytes, from) \
	bpf_probe_read_user(to, bytes, (const void *)__builtin_preserve_access_index(from))
#define bpf_core_read_str(to, bytes, from) \
	bpf_probe_read_kernel_str(to, bytes, (const void *)__builtin_preserve_access_index(from))
#define bpf_core_read_user_str(to, bytes, from) \
	bpf_probe_read_user_str(to, bytes, (const void *)__builtin_preserve_access_index(from))

/*
 * Follow pointers: __skep_walk<n>(read_pointer, read_last, to, from, n members). Each step but the
 * last reads a pointer, whose type is that of the member, without qualifiers.
 */
#define __skep_walk1(hop, last, to, from, a) last((void *)(to), sizeof(*(to)), &(from)->a)
#define __skep_walk2(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at2;                       \
		hop((void *)&__skep_at2, sizeof(__skep_at2), &(from)->a); \
		__skep_walk1(hop, last, to, __skep_at2, __VA_ARGS__);     \
	})
#define __skep_walk3(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at3;                       \
		hop((void *)&__skep_at3, sizeof(__skep_at3), &(from)->a); \
		__skep_walk2(hop, last, to, __skep_at3, __VA_ARGS__);     \
	})
#define __skep_walk4(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at4;                       \
		hop((void *)&__skep_at4, sizeof(__skep_at4), &(from)->a); \
		__skep_walk3(hop, last, to, __skep_at4, __VA_ARGS__);     \
	})
#define __skep_walk5(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at5;                       \
		hop((void *)&__skep_at5, sizeof(__skep_at5), &(from)->a); \
		__skep_walk4(hop, last, to, __skep_at5, __VA_ARGS__);     \
	})
#define __skep_walk6(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at6;                       \
		hop((void *)&__skep_at6, sizeof(__skep_at6), &(from)->a); \
		__skep_walk5(hop, last, to, __skep_at6, __VA_ARGS__);     \
	})
#define __skep_walk7(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at7;                       \
		hop((void *)&__skep_at7, sizeof(__skep_at7), &(from)->a); \
		__skep_walk6(hop, last, to, __skep_at7, __VA_ARGS__);     \
	})
#define __skep_walk8(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at8;                       \
		hop((void *)&__skep_at8, sizeof(__skep_at8), &(from)->a); \
		__skep_walk7(hop, last, to, __skep_at8, __VA_ARGS__);     \
	})
#define __skep_walk9(hop, last, to, from, a, ...)                         \
	({                                                                \
		__typeof__(&*(from)->a) __skep_at9;                       \
		hop((void *)&__skep_at9, sizeof(__skep_at9), &(from)->a); \
		__skep_walk8(hop, last, to, __skep_at9, __VA_ARGS__);     \
	})
#define __skep_walk10(hop, last, to, from, a, ...)                          \
	({                                                                  \
		__typeof__(&*(from)->a) __skep_at10;                        \
		hop((void *)&__skep_at10, sizeof(__skep_at10), &(from)->a); \
		__skep_walk9(hop, last, to, __skep_at10, __VA_ARGS__);      \
	})
/* `from` is evaluated first: clang relocates nothing within what is relocated. */
#define __skep_walk(hop, last, to, from, ...)                               \
	({                                                                  \
		__auto_type __skep_from = (from);                           \
		__skep_core_concat(__skep_walk, __skep_count(__VA_ARGS__))( \
			hop, last, to, __skep_from, __VA_ARGS__);           \
	})

/* from->a->b->c, for its type. */
#define __skep_arrow1(from, a) (from)->a
#define __skep_arrow2(from, a, ...) __skep_arrow1((from)->a, __VA_ARGS__)
#define __skep_arrow3(from, a, ...) __skep_arrow2((from)->a, __VA_ARGS__)
#define __skep_arrow4(from, a, ...) __skep_arrow3((from)->a, __VA_ARGS__)
#define __skep_arrow5(from, a, ...) __skep_arrow4((from)->a, __VA_ARGS__)
#define __skep_arrow6(from, a, ...) __skep_arrow5((from)->a, __VA_ARGS__)
#define __skep_arrow7(from, a, ...) __skep_arrow6((from)->a, __VA_ARGS__)
#define __skep_arrow8(from, a, ...) __skep_arrow7((from)->a, __VA_ARGS__)
#define __skep_arrow9(from, a, ...) __skep_arrow8((from)->a, __VA_ARGS__)
#define __skep_arrow10(from, a, ...) __skep_arrow9((from)->a, __VA_ARGS__)
#define __skep_arrow(from, ...) \
	__skep_core_concat(__skep_arrow, __skep_count(__VA_ARGS__))(from, __VA_ARGS__)

/* What is at the end of a path, into *to; the result is that of the last read. */
#define BPF_CORE_READ_INTO(to, from, ...) \
	__skep_walk(bpf_core_read, bpf_core_read, to, from, __VA_ARGS__)
#define BPF_CORE_READ_USER_INTO(to, from, ...) \
	__skep_walk(bpf_core_read_user, bpf_core_read_user, to, from, __VA_ARGS__)
#define BPF_PROBE_READ_INTO(to, from, ...) \
	__skep_walk(bpf_probe_read_kernel, bpf_probe_read_kernel, to, from, __VA_ARGS__)
#define BPF_PROBE_READ_USER_INTO(to, from, ...) \
	__skep_walk(bpf_probe_read_user, bpf_probe_read_user, to, from, __VA_ARGS__)

/* The same for text that ends in NUL; `to` is the address of an array. */
#define BPF_CORE_READ_STR_INTO(to, from, ...) \
	__skep_walk(bpf_core_read, bpf_core_read_str, to, from, __VA_ARGS__)
#define BPF_CORE_READ_USER_STR_INTO(to, from, ...) \
	__skep_walk(bpf_core_read_user, bpf_core_read_user_str, to, from, __VA_ARGS__)
#define BPF_PROBE_READ_STR_INTO(to, from, ...) \
	__skep_walk(bpf_probe_read_kernel, bpf_probe_read_kernel_str, to, from, __VA_ARGS__)
#define BPF_PROBE_READ_USER_STR_INTO(to, from, ...) \
	__skep_walk(bpf_probe_read_user, bpf_probe_read_user_str, to, from, __VA_ARGS__)

/* What is at the end of a path, as a value. */
#define __skep_value(hop, last, from, ...)                               \
	({                                                               \
		__typeof__(__skep_arrow(from, __VA_ARGS__)) __skep_read; \
		__skep_walk(hop, last, &__skep_read, from, __VA_ARGS__); \
		__skep_read;                                             \
	})
#define BPF_CORE_READ(from, ...) \
	__skep_value(bpf_core_read, bpf_core_read, from, __VA_ARGS__)
#define BPF_CORE_READ_USER(from, ...) \
	__skep_value(bpf_core_read_user, bpf_core_read_user, from, __VA_ARGS__)
#define BPF_PROBE_READ(from, ...) \
	__skep_value(bpf_probe_read_kernel, bpf_probe_read_kernel, from, __VA_ARGS__)
#define BPF_PROBE_READ_USER(from, ...) \
	__skep_value(bpf_probe_read_user, bpf_probe_read_user, from, __VA_ARGS__)

/*
 * Bitfields. A field is in the BYTE_SIZE bytes at BYTE_OFFSET; as a number of 64 bits, shifted left
 * by LSHIFT_U64 and right by RSHIFT_U64, they are its value.
 */
#define __skep_bits(from, field, what) \
	__builtin_preserve_field_info((from)->field, BPF_FIELD_##what)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __skep_low_end(word, bytes) ((void *)&(word))
#else
#define __skep_low_end(word, bytes) ((void *)&(word) + (sizeof(word) - (bytes)))
#endif
#define __skep_shifted(word, from, field)                                                        \
	({                                                                                       \
		unsigned long long __skep_left = (word) << __skep_bits(from, field, LSHIFT_U64); \
                                                                                                 \
		__skep_bits(from, field, SIGNED) ?                                               \
			(unsigned long long)((long long)__skep_left >>                           \
					     __skep_bits(from, field, RSHIFT_U64)) :             \
			__skep_left >> __skep_bits(from, field, RSHIFT_U64);                     \
	})

/* Of memory that must be read with a helper. */
#define BPF_CORE_READ_BITFIELD_PROBED(from, field)                                        \
	({                                                                                \
		unsigned long long __skep_word = 0;                                       \
                                                                                          \
		bpf_probe_read_kernel(                                                    \
			__skep_low_end(__skep_word, __skep_bits(from, field, BYTE_SIZE)), \
			__skep_bits(from, field, BYTE_SIZE),                              \
			(const void *)(from) + __skep_bits(from, field, BYTE_OFFSET));    \
		__skep_shifted(__skep_word, from, field);                                 \
	})

/*
 * Of memory that can be read directly. The address is hidden from the compiler, so that it does
 * not fold an offset which the loader is going to change.
 */
#define __skep_bits_at(from, field)                                                   \
	({                                                                            \
		const void *__skep_address =                                          \
			(const void *)(from) + __skep_bits(from, field, BYTE_OFFSET); \
		barrier_var(__skep_address);                                          \
		(void *)__skep_address;                                               \
	})
#define BPF_CORE_READ_BITFIELD(from, field)                                       \
	({                                                                        \
		void *__skep_place = __skep_bits_at(from, field);                 \
		unsigned long long __skep_word = 0;                               \
                                                                                  \
		switch (__skep_bits(from, field, BYTE_SIZE)) {                    \
		case 1: __skep_word = *(unsigned char *)__skep_place; break;      \
		case 2: __skep_word = *(unsigned short *)__skep_place; break;     \
		case 4: __skep_word = *(unsigned int *)__skep_place; break;       \
		case 8: __skep_word = *(unsigned long long *)__skep_place; break; \
		}                                                                 \
		__skep_shifted(__skep_word, from, field);                         \
	})
#define BPF_CORE_WRITE_BITFIELD(from, field, value)                                   \
	({                                                                            \
		void *__skep_place = __skep_bits_at(from, field);                     \
		unsigned int __skep_up = __skep_bits(from, field, RSHIFT_U64);        \
		unsigned int __skep_down = __skep_bits(from, field, LSHIFT_U64);      \
		unsigned long long __skep_mask = (~0ULL << __skep_up) >> __skep_down; \
		unsigned long long __skep_new =                                       \
			((unsigned long long)(value) << __skep_up) >> __skep_down;    \
                                                                                      \
		switch (__skep_bits(from, field, BYTE_SIZE)) {                        \
		case 1: __skep_put(unsigned char); break;                             \
		case 2: __skep_put(unsigned short); break;                            \
		case 4: __skep_put(unsigned int); break;                              \
		case 8: __skep_put(unsigned long long); break;                        \
		}                                                                     \
	})
#define __skep_put(type)         \
	(*(type *)__skep_place = \
		 (*(type *)__skep_place & ~__skep_mask) | __skep_new)

#endif
