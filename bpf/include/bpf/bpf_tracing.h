/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arguments of traced functions as parameters of a C function, and registers by what they hold.
 *
 *     SEC("fentry/do_unlinkat")
 *     int BPF_PROG(unlinking, int directory, struct filename *name) { … }
 *
 * For registers a program is made for one kind of machine: __TARGET_ARCH_x86, _arm64, _arm, _s390,
 * _riscv, _powerpc, _loongarch or _mips. Skep's build defines the first; a source that defines
 * another one gets that.
 *
 * Written for Skep. Names and meanings: libbpf's documentation; registers: the calling conventions
 * named below, and struct pt_regs in arch/<name>/include/(uapi/)asm/ptrace.h of Linux 6.18.
 */
#ifndef SKEP_BPF_TRACING_H
#define SKEP_BPF_TRACING_H

#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_arm64)
#define bpf_target_arm64
/* AArch64: AAPCS64. */
#define __skep_regs_type const struct user_pt_regs
#define __skep_reg1 regs[0]
#define __skep_reg2 regs[1]
#define __skep_reg3 regs[2]
#define __skep_reg4 regs[3]
#define __skep_reg5 regs[4]
#define __skep_reg6 regs[5]
#define __skep_reg7 regs[6]
#define __skep_reg8 regs[7]
#define __skep_reg_ret regs[30]
#define __skep_reg_fp regs[29]
#define __skep_reg_rc regs[0]
#define __skep_reg_sp sp
#define __skep_reg_ip pc
/* The first argument of a system call is overwritten by its result; the kernel keeps it here. */
struct pt_regs___skep_arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));
#define __skep_first_type const struct pt_regs___skep_arm64
#define __skep_first_reg orig_x0

#elif defined(__TARGET_ARCH_arm)
#define bpf_target_arm
/* 32-bit Arm: AAPCS. */
#define __skep_regs_type const struct pt_regs
#define __skep_reg1 uregs[0]
#define __skep_reg2 uregs[1]
#define __skep_reg3 uregs[2]
#define __skep_reg4 uregs[3]
#define __skep_reg_ret uregs[14]
#define __skep_reg_fp uregs[11]
#define __skep_reg_rc uregs[0]
#define __skep_reg_sp uregs[13]
#define __skep_reg_ip uregs[15]
#define __skep_first_type const struct pt_regs
#define __skep_first_reg uregs[17]
#define __skep_sysreg5 uregs[4]
#define __skep_sysreg6 uregs[5]
#define __skep_no_wrapper

#elif defined(__TARGET_ARCH_s390)
#define bpf_target_s390
/* s390x: the ELF ABI of s390x. */
#define __skep_regs_type const user_pt_regs
#define __skep_reg1 gprs[2]
#define __skep_reg2 gprs[3]
#define __skep_reg3 gprs[4]
#define __skep_reg4 gprs[5]
#define __skep_reg5 gprs[6]
#define __skep_reg_ret gprs[14]
#define __skep_reg_fp gprs[11]
#define __skep_reg_rc gprs[2]
#define __skep_reg_sp gprs[15]
#define __skep_reg_ip psw.addr
/* The first argument of a system call is overwritten by its result; the kernel keeps it here. */
struct pt_regs___skep_s390 {
	unsigned long orig_gpr2;
} __attribute__((preserve_access_index));
#define __skep_first_type const struct pt_regs___skep_s390
#define __skep_first_reg orig_gpr2
#define __skep_sysreg6 gprs[7]

#elif defined(__TARGET_ARCH_riscv)
#define bpf_target_riscv
/* RISC-V: its calling convention. */
#define __skep_regs_type const struct user_regs_struct
#define __skep_reg1 a0
#define __skep_reg2 a1
#define __skep_reg3 a2
#define __skep_reg4 a3
#define __skep_reg5 a4
#define __skep_reg6 a5
#define __skep_reg7 a6
#define __skep_reg8 a7
#define __skep_reg_ret ra
#define __skep_reg_fp s0
#define __skep_reg_rc a0
#define __skep_reg_sp sp
#define __skep_reg_ip pc
/* The first argument of a system call is overwritten by its result; the kernel keeps it here. */
struct pt_regs___skep_riscv {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __skep_first_type const struct pt_regs___skep_riscv
#define __skep_first_reg orig_a0

#elif defined(__TARGET_ARCH_powerpc)
#define bpf_target_powerpc
/* 64-bit PowerPC: ELF ABI v2. */
#define __skep_regs_type const struct pt_regs
#define __skep_reg1 gpr[3]
#define __skep_reg2 gpr[4]
#define __skep_reg3 gpr[5]
#define __skep_reg4 gpr[6]
#define __skep_reg5 gpr[7]
#define __skep_reg6 gpr[8]
#define __skep_reg7 gpr[9]
#define __skep_reg8 gpr[10]
#define __skep_reg_ret link
#define __skep_reg_fp gpr[31]
#define __skep_reg_rc gpr[3]
#define __skep_reg_sp gpr[1]
#define __skep_reg_ip nip
#define __skep_first_type const struct pt_regs
#define __skep_first_reg orig_gpr3

#elif defined(__TARGET_ARCH_loongarch)
#define bpf_target_loongarch
/* LoongArch: its ELF psABI. */
#define __skep_regs_type const struct user_pt_regs
#define __skep_reg1 regs[4]
#define __skep_reg2 regs[5]
#define __skep_reg3 regs[6]
#define __skep_reg4 regs[7]
#define __skep_reg5 regs[8]
#define __skep_reg6 regs[9]
#define __skep_reg7 regs[10]
#define __skep_reg8 regs[11]
#define __skep_reg_ret regs[1]
#define __skep_reg_fp regs[22]
#define __skep_reg_rc regs[4]
#define __skep_reg_sp regs[3]
#define __skep_reg_ip csr_era
/* The first argument of a system call is overwritten by its result; the kernel keeps it here. */
struct pt_regs___skep_loongarch {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __skep_first_type const struct pt_regs___skep_loongarch
#define __skep_first_reg orig_a0
#define __skep_no_wrapper

#elif defined(__TARGET_ARCH_mips)
#define bpf_target_mips
/* 64-bit MIPS: n64. */
#define __skep_regs_type const struct pt_regs
#define __skep_reg1 regs[4]
#define __skep_reg2 regs[5]
#define __skep_reg3 regs[6]
#define __skep_reg4 regs[7]
#define __skep_reg5 regs[8]
#define __skep_reg6 regs[9]
#define __skep_reg7 regs[10]
#define __skep_reg8 regs[11]
#define __skep_reg_ret regs[31]
#define __skep_reg_fp regs[30]
#define __skep_reg_rc regs[2]
#define __skep_reg_sp regs[29]
#define __skep_reg_ip cp0_epc
#define __skep_no_wrapper

#elif defined(__TARGET_ARCH_x86)
#define bpf_target_x86
/* x86-64. vmlinux.h has the names of the kernel, asm/ptrace.h those of user space. */
#define __skep_regs_type const struct pt_regs
#if defined(__KERNEL__) || defined(__VMLINUX_H__)
#define __skep_reg1 di
#define __skep_reg2 si
#define __skep_reg3 dx
#define __skep_reg4 cx
#define __skep_reg_ret sp /* on the stack */
#define __skep_reg_fp bp
#define __skep_reg_rc ax
#define __skep_reg_sp sp
#define __skep_reg_ip ip
#else
#define __skep_reg1 rdi
#define __skep_reg2 rsi
#define __skep_reg3 rdx
#define __skep_reg4 rcx
#define __skep_reg_ret rsp
#define __skep_reg_fp rbp
#define __skep_reg_rc rax
#define __skep_reg_sp rsp
#define __skep_reg_ip rip
#endif
#define __skep_reg5 r8
#define __skep_reg6 r9
#define __skep_sysreg4 r10 /* cx is the return address there */

#endif

#ifdef __skep_regs_type
#define bpf_target_defined
struct pt_regs;

/* What this machine does not pass in a register is refused where it is asked for. */
#define __skep_no_register \
	({ _Pragma("GCC error \"this argument is not in a register on the target machine\"") 0UL; })

#define __skep_regs(ctx) ((__skep_regs_type *)(ctx))
#define __skep_direct(ctx, register) (__skep_regs(ctx)->register)
#define __skep_core(ctx, register) BPF_CORE_READ(__skep_regs(ctx), register)

#define PT_REGS_PARM1(ctx) __skep_direct(ctx, __skep_reg1)
#define PT_REGS_PARM1_CORE(ctx) __skep_core(ctx, __skep_reg1)
#define PT_REGS_PARM2(ctx) __skep_direct(ctx, __skep_reg2)
#define PT_REGS_PARM2_CORE(ctx) __skep_core(ctx, __skep_reg2)
#define PT_REGS_PARM3(ctx) __skep_direct(ctx, __skep_reg3)
#define PT_REGS_PARM3_CORE(ctx) __skep_core(ctx, __skep_reg3)
#define PT_REGS_PARM4(ctx) __skep_direct(ctx, __skep_reg4)
#define PT_REGS_PARM4_CORE(ctx) __skep_core(ctx, __skep_reg4)
#ifdef __skep_reg5
#define PT_REGS_PARM5(ctx) __skep_direct(ctx, __skep_reg5)
#define PT_REGS_PARM5_CORE(ctx) __skep_core(ctx, __skep_reg5)
#else
#define PT_REGS_PARM5(ctx) __skep_no_register
#define PT_REGS_PARM5_CORE(ctx) __skep_no_register
#endif
#ifdef __skep_reg6
#define PT_REGS_PARM6(ctx) __skep_direct(ctx, __skep_reg6)
#define PT_REGS_PARM6_CORE(ctx) __skep_core(ctx, __skep_reg6)
#else
#define PT_REGS_PARM6(ctx) __skep_no_register
#define PT_REGS_PARM6_CORE(ctx) __skep_no_register
#endif
#ifdef __skep_reg7
#define PT_REGS_PARM7(ctx) __skep_direct(ctx, __skep_reg7)
#define PT_REGS_PARM7_CORE(ctx) __skep_core(ctx, __skep_reg7)
#else
#define PT_REGS_PARM7(ctx) __skep_no_register
#define PT_REGS_PARM7_CORE(ctx) __skep_no_register
#endif
#ifdef __skep_reg8
#define PT_REGS_PARM8(ctx) __skep_direct(ctx, __skep_reg8)
#define PT_REGS_PARM8_CORE(ctx) __skep_core(ctx, __skep_reg8)
#else
#define PT_REGS_PARM8(ctx) __skep_no_register
#define PT_REGS_PARM8_CORE(ctx) __skep_no_register
#endif

/* Return address, frame pointer, result, stack pointer, instruction pointer. */
#define PT_REGS_RET(ctx) __skep_direct(ctx, __skep_reg_ret)
#define PT_REGS_RET_CORE(ctx) __skep_core(ctx, __skep_reg_ret)
#define PT_REGS_FP(ctx) __skep_direct(ctx, __skep_reg_fp)
#define PT_REGS_FP_CORE(ctx) __skep_core(ctx, __skep_reg_fp)
#define PT_REGS_RC(ctx) __skep_direct(ctx, __skep_reg_rc)
#define PT_REGS_RC_CORE(ctx) __skep_core(ctx, __skep_reg_rc)
#define PT_REGS_SP(ctx) __skep_direct(ctx, __skep_reg_sp)
#define PT_REGS_SP_CORE(ctx) __skep_core(ctx, __skep_reg_sp)
#define PT_REGS_IP(ctx) __skep_direct(ctx, __skep_reg_ip)
#define PT_REGS_IP_CORE(ctx) __skep_core(ctx, __skep_reg_ip)

/* Where a probed function returns to: BPF_KPROBE_READ_RET_IP(address, ctx). */
#ifdef bpf_target_x86
#define BPF_KPROBE_READ_RET_IP(ip, ctx) \
	bpf_probe_read_kernel(&(ip), sizeof(ip), (const void *)PT_REGS_RET(ctx))
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx)       \
	bpf_probe_read_kernel(&(ip), sizeof(ip), \
			      (const void *)(PT_REGS_FP(ctx) + sizeof(ip)))
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); 0L; })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP
#endif

/* Arguments of a system call, from its registers: PT_REGS_SYSCALL_REGS(ctx). */
#ifdef __skep_first_type
#define PT_REGS_PARM1_SYSCALL(regs) (((__skep_first_type *)(regs))->__skep_first_reg)
#define PT_REGS_PARM1_CORE_SYSCALL(regs) \
	BPF_CORE_READ((__skep_first_type *)(regs), __skep_first_reg)
#else
#define PT_REGS_PARM1_SYSCALL(regs) PT_REGS_PARM1(regs)
#define PT_REGS_PARM1_CORE_SYSCALL(regs) PT_REGS_PARM1_CORE(regs)
#endif
#define PT_REGS_PARM2_SYSCALL(regs) PT_REGS_PARM2(regs)
#define PT_REGS_PARM2_CORE_SYSCALL(regs) PT_REGS_PARM2_CORE(regs)
#define PT_REGS_PARM3_SYSCALL(regs) PT_REGS_PARM3(regs)
#define PT_REGS_PARM3_CORE_SYSCALL(regs) PT_REGS_PARM3_CORE(regs)
#ifdef __skep_sysreg4
#define PT_REGS_PARM4_SYSCALL(regs) __skep_direct(regs, __skep_sysreg4)
#define PT_REGS_PARM4_CORE_SYSCALL(regs) __skep_core(regs, __skep_sysreg4)
#else
#define PT_REGS_PARM4_SYSCALL(regs) PT_REGS_PARM4(regs)
#define PT_REGS_PARM4_CORE_SYSCALL(regs) PT_REGS_PARM4_CORE(regs)
#endif
#ifdef __skep_sysreg5
#define PT_REGS_PARM5_SYSCALL(regs) __skep_direct(regs, __skep_sysreg5)
#define PT_REGS_PARM5_CORE_SYSCALL(regs) __skep_core(regs, __skep_sysreg5)
#else
#define PT_REGS_PARM5_SYSCALL(regs) PT_REGS_PARM5(regs)
#define PT_REGS_PARM5_CORE_SYSCALL(regs) PT_REGS_PARM5_CORE(regs)
#endif
#ifdef __skep_sysreg6
#define PT_REGS_PARM6_SYSCALL(regs) __skep_direct(regs, __skep_sysreg6)
#define PT_REGS_PARM6_CORE_SYSCALL(regs) __skep_core(regs, __skep_sysreg6)
#else
#define PT_REGS_PARM6_SYSCALL(regs) PT_REGS_PARM6(regs)
#define PT_REGS_PARM6_CORE_SYSCALL(regs) PT_REGS_PARM6_CORE(regs)
#endif
#define PT_REGS_PARM7_SYSCALL(regs) PT_REGS_PARM7(regs)
#define PT_REGS_PARM7_CORE_SYSCALL(regs) PT_REGS_PARM7_CORE(regs)

/* Most kernels pass a system call the address of its registers (CONFIG_ARCH_HAS_SYSCALL_WRAPPER). */
#ifdef __skep_no_wrapper
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)(ctx))
#else
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#endif

#else /* no machine */

#define __skep_no_machine \
	({ _Pragma("GCC error \"which machine? define __TARGET_ARCH_x86 or another one\"") 0UL; })
#define PT_REGS_PARM1(ctx) __skep_no_machine
#define PT_REGS_PARM1_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM2(ctx) __skep_no_machine
#define PT_REGS_PARM2_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM3(ctx) __skep_no_machine
#define PT_REGS_PARM3_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM4(ctx) __skep_no_machine
#define PT_REGS_PARM4_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM5(ctx) __skep_no_machine
#define PT_REGS_PARM5_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM6(ctx) __skep_no_machine
#define PT_REGS_PARM6_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM7(ctx) __skep_no_machine
#define PT_REGS_PARM7_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM8(ctx) __skep_no_machine
#define PT_REGS_PARM8_CORE(ctx) __skep_no_machine
#define PT_REGS_RET(ctx) __skep_no_machine
#define PT_REGS_RET_CORE(ctx) __skep_no_machine
#define PT_REGS_FP(ctx) __skep_no_machine
#define PT_REGS_FP_CORE(ctx) __skep_no_machine
#define PT_REGS_RC(ctx) __skep_no_machine
#define PT_REGS_RC_CORE(ctx) __skep_no_machine
#define PT_REGS_SP(ctx) __skep_no_machine
#define PT_REGS_SP_CORE(ctx) __skep_no_machine
#define PT_REGS_IP(ctx) __skep_no_machine
#define PT_REGS_IP_CORE(ctx) __skep_no_machine
#define PT_REGS_PARM1_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM1_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM2_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM2_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM3_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM3_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM4_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM4_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM5_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM5_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM6_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM6_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM7_SYSCALL(regs) __skep_no_machine
#define PT_REGS_PARM7_CORE_SYSCALL(regs) __skep_no_machine
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)__skep_no_machine)
#define BPF_KPROBE_READ_RET_IP(ip, ctx) __skep_no_machine
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) __skep_no_machine

#endif

/*
 * The function the kernel calls takes the context; that of the author, which is inlined into it,
 * takes what is in the context. Values are 64 bits wide there; what they are is up to the author.
 */
#define __skep_traced(name, context, values, ...)                                  \
	name(context);                                                             \
	static __always_inline typeof(name(0)) ____##name(context, ##__VA_ARGS__); \
	typeof(name(0)) name(context)                                              \
	{                                                                          \
		_Pragma("clang diagnostic push")                                   \
		_Pragma("clang diagnostic ignored \"-Wint-conversion\"")           \
		return ____##name values;                                          \
		_Pragma("clang diagnostic pop")                                    \
	}                                                                          \
	static __always_inline typeof(name(0)) ____##name(context, ##__VA_ARGS__)

/* fentry, fexit, fmod_ret, lsm, tp_btf, struct_ops: one element of the context an argument. */
#define __skep_ctx0 ctx
#define __skep_ctx1 __skep_ctx0, (void *)ctx[0]
#define __skep_ctx2 __skep_ctx1, (void *)ctx[1]
#define __skep_ctx3 __skep_ctx2, (void *)ctx[2]
#define __skep_ctx4 __skep_ctx3, (void *)ctx[3]
#define __skep_ctx5 __skep_ctx4, (void *)ctx[4]
#define __skep_ctx6 __skep_ctx5, (void *)ctx[5]
#define __skep_ctx7 __skep_ctx6, (void *)ctx[6]
#define __skep_ctx8 __skep_ctx7, (void *)ctx[7]
#define __skep_ctx9 __skep_ctx8, (void *)ctx[8]
#define __skep_ctx10 __skep_ctx9, (void *)ctx[9]
#define __skep_ctx11 __skep_ctx10, (void *)ctx[10]
#define __skep_ctx12 __skep_ctx11, (void *)ctx[11]
#define BPF_PROG(name, ...)                          \
	__skep_traced(name, unsigned long long *ctx, \
		      (__skep_concat(__skep_ctx, __skep_count(__VA_ARGS__))), ##__VA_ARGS__)

/*
 * The same for functions that take structures by value: BPF_PROG2(name, struct pair, a, int, b).
 * A structure of up to 16 bytes is in one or two elements of the context.
 */
#define __skep_slots(type) ((sizeof(type) + 7) / 8)
#define __skep_element(type, at)                                      \
	({                                                            \
		union {                                               \
			unsigned long long words[__skep_slots(type)]; \
			typeof(type) value;                           \
		} __skep_whole;                                       \
                                                                      \
		__skep_whole.words[0] = ctx[at];                      \
		if (__skep_slots(type) > 1)                           \
			__skep_whole.words[__skep_slots(type) - 1] =  \
				ctx[(at) + __skep_slots(type) - 1];   \
		__skep_whole.value;                                   \
	})
#define __skep_pairs0()
#define __skep_pairs2(t, x) , t x
#define __skep_pairs4(t, x, ...) , t x __skep_pairs2(__VA_ARGS__)
#define __skep_pairs6(t, x, ...) , t x __skep_pairs4(__VA_ARGS__)
#define __skep_pairs8(t, x, ...) , t x __skep_pairs6(__VA_ARGS__)
#define __skep_pairs10(t, x, ...) , t x __skep_pairs8(__VA_ARGS__)
#define __skep_pairs12(t, x, ...) , t x __skep_pairs10(__VA_ARGS__)
#define __skep_pairs14(t, x, ...) , t x __skep_pairs12(__VA_ARGS__)
#define __skep_pairs16(t, x, ...) , t x __skep_pairs14(__VA_ARGS__)
#define __skep_pairs18(t, x, ...) , t x __skep_pairs16(__VA_ARGS__)
#define __skep_pairs20(t, x, ...) , t x __skep_pairs18(__VA_ARGS__)
#define __skep_pairs22(t, x, ...) , t x __skep_pairs20(__VA_ARGS__)
#define __skep_pairs24(t, x, ...) , t x __skep_pairs22(__VA_ARGS__)
#define __skep_elements0(at)
#define __skep_elements2(at, t, x) , __skep_element(t, at)
#define __skep_elements4(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements2((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements6(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements4((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements8(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements6((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements10(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements8((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements12(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements10((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements14(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements12((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements16(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements14((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements18(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements16((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements20(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements18((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements22(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements20((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_elements24(at, t, x, ...) \
	, __skep_element(t, at) __skep_elements22((at) + __skep_slots(t), __VA_ARGS__)
#define __skep_26th(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, \
		    _18, _19, _20, _21, _22, _23, _24, _25, n, ...)                             \
	n
#define __skep_count_pairs(...)                                                                   \
	__skep_26th(_, ##__VA_ARGS__, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, \
		    9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define __skep_pairs(...) \
	__skep_concat(__skep_pairs, __skep_count_pairs(__VA_ARGS__))(__VA_ARGS__)
#define __skep_elements(...) \
	__skep_concat(__skep_elements, __skep_count_pairs(__VA_ARGS__))(0, ##__VA_ARGS__)
#define BPF_PROG2(name, ...)                                         \
	name(unsigned long long *ctx);                               \
	static __always_inline typeof(name(0)) ____##name(           \
		unsigned long long *ctx __skep_pairs(__VA_ARGS__));  \
	typeof(name(0)) name(unsigned long long *ctx)                \
	{                                                            \
		return ____##name(ctx __skep_elements(__VA_ARGS__)); \
	}                                                            \
	static __always_inline typeof(name(0)) ____##name(           \
		unsigned long long *ctx __skep_pairs(__VA_ARGS__))

/* kprobe and uprobe: arguments from registers. */
#define __skep_parm0 ctx
#define __skep_parm1 __skep_parm0, (void *)PT_REGS_PARM1(ctx)
#define __skep_parm2 __skep_parm1, (void *)PT_REGS_PARM2(ctx)
#define __skep_parm3 __skep_parm2, (void *)PT_REGS_PARM3(ctx)
#define __skep_parm4 __skep_parm3, (void *)PT_REGS_PARM4(ctx)
#define __skep_parm5 __skep_parm4, (void *)PT_REGS_PARM5(ctx)
#define __skep_parm6 __skep_parm5, (void *)PT_REGS_PARM6(ctx)
#define __skep_parm7 __skep_parm6, (void *)PT_REGS_PARM7(ctx)
#define __skep_parm8 __skep_parm7, (void *)PT_REGS_PARM8(ctx)
#define BPF_KPROBE(name, ...)                    \
	__skep_traced(name, struct pt_regs *ctx, \
		      (__skep_concat(__skep_parm, __skep_count(__VA_ARGS__))), ##__VA_ARGS__)

/* kretprobe and uretprobe: at most the result. */
#define __skep_result0 ctx
#define __skep_result1 ctx, (void *)PT_REGS_RC(ctx)
#define BPF_KRETPROBE(name, ...)                 \
	__skep_traced(name, struct pt_regs *ctx, \
		      (__skep_concat(__skep_result, __skep_count(__VA_ARGS__))), ##__VA_ARGS__)

#define BPF_UPROBE(name, ...) BPF_KPROBE(name, ##__VA_ARGS__)
#define BPF_URETPROBE(name, ...) BPF_KRETPROBE(name, ##__VA_ARGS__)

/*
 * ksyscall: arguments of a system call, on kernels that pass it registers and on those that pass
 * it arguments; the loader says which. Needs bpf_core_read.h.
 */
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;

#define __skep_wrapped0 ctx
#define __skep_plain0 ctx
#define __skep_wrapped1 __skep_wrapped0, (void *)PT_REGS_PARM1_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped2 __skep_wrapped1, (void *)PT_REGS_PARM2_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped3 __skep_wrapped2, (void *)PT_REGS_PARM3_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped4 __skep_wrapped3, (void *)PT_REGS_PARM4_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped5 __skep_wrapped4, (void *)PT_REGS_PARM5_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped6 __skep_wrapped5, (void *)PT_REGS_PARM6_CORE_SYSCALL(__skep_regs_of)
#define __skep_wrapped7 __skep_wrapped6, (void *)PT_REGS_PARM7_CORE_SYSCALL(__skep_regs_of)
#define __skep_plain1 __skep_plain0, (void *)PT_REGS_PARM1_SYSCALL(ctx)
#define __skep_plain2 __skep_plain1, (void *)PT_REGS_PARM2_SYSCALL(ctx)
#define __skep_plain3 __skep_plain2, (void *)PT_REGS_PARM3_SYSCALL(ctx)
#define __skep_plain4 __skep_plain3, (void *)PT_REGS_PARM4_SYSCALL(ctx)
#define __skep_plain5 __skep_plain4, (void *)PT_REGS_PARM5_SYSCALL(ctx)
#define __skep_plain6 __skep_plain5, (void *)PT_REGS_PARM6_SYSCALL(ctx)
#define __skep_plain7 __skep_plain6, (void *)PT_REGS_PARM7_SYSCALL(ctx)
#define BPF_KSYSCALL(name, ...)                                                                \
	name(struct pt_regs *ctx);                                                             \
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##__VA_ARGS__); \
	typeof(name(0)) name(struct pt_regs *ctx)                                              \
	{                                                                                      \
		struct pt_regs *__skep_regs_of = PT_REGS_SYSCALL_REGS(ctx);                    \
                                                                                               \
		_Pragma("clang diagnostic push")                                               \
		_Pragma("clang diagnostic ignored \"-Wint-conversion\"")                       \
		if (LINUX_HAS_SYSCALL_WRAPPER)                                                 \
			return ____##name(                                                     \
				__skep_concat(__skep_wrapped, __skep_count(__VA_ARGS__)));     \
		return ____##name(__skep_concat(__skep_plain, __skep_count(__VA_ARGS__)));     \
		_Pragma("clang diagnostic pop")                                                \
	}                                                                                      \
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##__VA_ARGS__)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

#endif
