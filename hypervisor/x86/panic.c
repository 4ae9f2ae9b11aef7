/* The end of the hypervisor, told completely: message, registers, back trace, trace records; and
 * state dumps on request, after which life goes on.
 *
 * An NMI says why it came by bits in its CPU's nmi_reasons, set by the sender. One without a reason
 * comes from outside (a button, QEMU's `nmi`) and asks for a dump of all CPUs; it is wired to the boot
 * CPU only. Everything here may run at any instruction outside of a guest: it takes no lock of anyone's.
 * Printing is serialised by a flag of our own that is waited for only so long. */
#include "x86/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/spinlock.h"
#include "lodge/trace.h"
#include "lodge/vcpu.h"
#include "x86/apic.h"
#include "x86/cmdline.h"
#include "x86/cpu.h"
#include "x86/paging.h"
#include "x86/serial.h"
#include "x86/symbols.h"
#include "x86/time.h"
#include "x86/trap.h"

#define NMI_STOP     0x1u
#define NMI_DUMP     0x2u
#define NMI_WATCHDOG 0x4u

#define REBOOT_DELAY_S 5u
#define MAX_CALLS      24u /* lines of a back trace */
#define TRACE_LINES    8u  /* records of each CPU */

uint64_t __stack_chk_guard = 0x5bd1e995a3c7f10d; /* replaced by start.c */
void __stack_chk_fail(void);

void (*panic_dump_vcpu)(struct vcpu *v);

static bool opt_noreboot;
OPTION_BOOL("noreboot", opt_noreboot);

static uint32_t panic_owner; /* CPU number + 1 of who panicked first; atomic */
static uint32_t dump_lock;   /* atomic */

/* ---- Printing ---- */

void panic_print(const char *fmt, ...)
{
	char line[256];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vformat(line, sizeof(line), fmt, args);
	va_end(args);
	n = MIN(n, sizeof(line) - 1);
	if (panic_owner)
		console_write(line, n);
	else
		serial_write_now(line, n);
}

static bool try_read(uint64_t address, uint64_t *ret_value)
{
	uint64_t value = 0;
	int err = 1;

	__asm__ volatile("1: mov (%2), %1\n"
			 "\txor %0, %0\n"
			 "2:\n" ASM_EXTABLE("1b", "2b")
			 : "+r"(err), "+r"(value)
			 : "r"(address));
	*ret_value = value;
	return !err;
}

/* Does a call instruction end at `a`? E8 rel32, or FF /2 of 2, 3, 6 or 7 bytes. */
static bool follows_call(uint64_t a)
{
	const uint8_t *p = (const uint8_t *)a;
	static const uint8_t indirect[] = { 2, 3, 6, 7 };

	if (!symbol_is_text(a - 8))
		return false;
	if (p[-5] == 0xe8)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(indirect); i++)
		if (p[-indirect[i]] == 0xff && (p[1 - indirect[i]] & 0x38) == 0x10)
			return true;
	return false;
}

/* A return address is named by the call before it: the function may end there. */
static void print_address(const char *prefix, uint64_t a, bool is_return)
{
	uint64_t offset;
	const char *name = symbol_find(is_return ? a - 1 : a, &offset);

	if (name)
		panic_print("%s%016" PRIx64 " %s+%#" PRIx64 "\n", prefix, a, name,
			    offset + is_return);
	else
		panic_print("%s%016" PRIx64 "\n", prefix, a);
}

/* Without frame pointers: every word on the stack that looks like a return address. Some may be left
 * over from calls that have returned. */
static void print_back_trace(uint64_t rip, uint64_t rsp)
{
	uint64_t top = (rsp | (CPU_STACK_SIZE - 1)) - (sizeof(void *) - 1);
	unsigned lines = 1;

	panic_print("  back trace:\n");
	print_address("    ", rip, false);
	for (uint64_t at = align_up(rsp, 8); at < top && lines < MAX_CALLS; at += 8) {
		uint64_t word;

		if (!try_read(at, &word)) {
			at = align_down(at, PAGE_SIZE) + PAGE_SIZE - 8;
			continue;
		}
		if (symbol_is_text(word) && follows_call(word)) {
			print_address("    ", word, true);
			lines++;
		}
	}
}

static void print_registers(const struct trap_frame *f)
{
	print_address("  rip ", f->rip, false);
	panic_print("  cs %04" PRIx64 " rflags %08" PRIx64 " rsp %016" PRIx64 " ss %04" PRIx64 "\n",
		    f->cs, f->rflags, f->rsp, f->ss);
	panic_print("  rax %016" PRIx64 " rbx %016" PRIx64 " rcx %016" PRIx64 "\n", f->rax, f->rbx,
		    f->rcx);
	panic_print("  rdx %016" PRIx64 " rsi %016" PRIx64 " rdi %016" PRIx64 "\n", f->rdx, f->rsi,
		    f->rdi);
	panic_print("  rbp %016" PRIx64 " r8  %016" PRIx64 " r9  %016" PRIx64 "\n", f->rbp, f->r8,
		    f->r9);
	panic_print("  r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64 "\n", f->r10, f->r11,
		    f->r12);
	panic_print("  r13 %016" PRIx64 " r14 %016" PRIx64 " r15 %016" PRIx64 "\n", f->r13, f->r14,
		    f->r15);
	panic_print("  cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %012" PRIx64 " cr4 %08" PRIx64 "\n",
		    read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* ---- Dumps ---- */

static void __attribute__((format(printf, 1, 2))) print_trace_line(const char *fmt, ...)
{
	char line[128];
	va_list args;

	va_start(args, fmt);
	vformat(line, sizeof(line), fmt, args);
	va_end(args);
	panic_print("    %s", line);
}

static void print_cpu(const struct cpu *c)
{
	struct vcpu *v = c->current;

	panic_print("  cpu %u: apic %#x%s%s pending %#x exits %" PRIu64 " runnable %u timer %s\n",
		    c->id, c->arch.apic_id, c->idle ? " idle" : "",
		    c->arch.in_guest ? " in guest" : "", c->pending, c->nr_exits,
		    c->sched.nr_runnable, c->timer.programmed_ns == TIME_NEVER ? "off" : "set");
	trace_print(c, TRACE_LINES, print_trace_line);
	if (!v)
		return;
	panic_print("  runs vCPU %u of domain %u, blocked by %#x\n", v->id, v->domain->id,
		    v->blocked_by);
	if (panic_dump_vcpu)
		panic_dump_vcpu(v);
}

/* Waits for its turn to print, but never for ever: who printed may be stuck. */
static void dump_lock_take(void)
{
	uint64_t start = rdtsc();

	while (__atomic_exchange_n(&dump_lock, 1, __ATOMIC_ACQUIRE) &&
	       rdtsc() - start < (tsc_khz ? tsc_khz : 1000000) * 2000)
		cpu_relax();
}

static void dump_lock_drop(void)
{
	__atomic_store_n(&dump_lock, 0, __ATOMIC_RELEASE);
}

static void dump_this_cpu(const struct trap_frame *f)
{
	const struct cpu *c = this_cpu();

	dump_lock_take();
	panic_print("lodge: state of CPU %u at %" PRIu64 " ms\n", c->id,
		    (uint64_t)(arch_now_ns() / NS_PER_MS));
	print_cpu(c);
	print_registers(f);
	print_back_trace(f->rip, f->rsp);
	dump_lock_drop();
}

static void send_reason(struct cpu *c, uint32_t reason)
{
	__atomic_fetch_or(&c->arch.nmi_reasons, reason, __ATOMIC_SEQ_CST);
	apic_send_nmi(c);
}

static void send_reason_to_others(uint32_t reason)
{
	const struct cpu *self = this_cpu();

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i] && cpus[i] != self && cpus[i]->online)
			send_reason(cpus[i], reason);
}

void panic_stop_others(void)
{
	send_reason_to_others(NMI_STOP);
}

void panic_watchdog_expired(struct cpu *c)
{
	send_reason(c, NMI_WATCHDOG);
}

void nmi_handle(struct trap_frame *f)
{
	struct cpu *c = this_cpu();
	uint32_t reasons = __atomic_exchange_n(&c->arch.nmi_reasons, 0, __ATOMIC_SEQ_CST);

	if (reasons & NMI_STOP || panic_owner) {
		WRITE_ONCE(c->online, false);
		halt_forever();
	}
	if (reasons & NMI_WATCHDOG)
		panic_trap(f);
	if (!reasons)
		send_reason_to_others(NMI_DUMP);
	dump_this_cpu(f);
}

/* ---- The end ---- */

/* The first CPU in gets the stage; one that panics while it panics halts. */
static void panic_begin(void)
{
	uint32_t nobody = 0;
	uint32_t self = this_cpu()->id + 1;

	irq_disable();
	if (!__atomic_compare_exchange_n(&panic_owner, &nobody, self, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		if (nobody == self)
			serial_write_now("lodge: panic within a panic\n", 28);
		halt_forever();
	}
	send_reason_to_others(NMI_STOP);
	delay_us(2000);
	serial_set_synchronous();
	spinlock_stop_checks();
	console_force_unlock();
}

static _Noreturn void panic_end(void)
{
	for (unsigned i = 0; i < nr_cpus; i++)
		if (cpus[i] && cpus[i] != this_cpu())
			print_cpu(cpus[i]);
	print_cpu(this_cpu());
	if (opt_noreboot) {
		panic_print("lodge: halted (noreboot)\n");
		halt_forever();
	}
	panic_print("lodge: restarting in %u seconds\n", REBOOT_DELAY_S);
	delay_us(REBOOT_DELAY_S * 1000000);
	arch_machine_restart();
}

void panic_trap(struct trap_frame *f)
{
	static const char *const names[] = {
		"division by zero",
		"debug",
		"NMI",
		"breakpoint",
		"overflow",
		"bound",
		"invalid opcode",
		"no FPU",
		"double fault",
		"9",
		"invalid TSS",
		"segment not present",
		"stack fault",
		"general protection",
		"page fault",
		"15",
		"floating point",
		"alignment",
		"machine check",
		"SIMD",
	};

	panic_begin();
	if (f->vector == TRAP_NMI)
		panic_print("lodge: PANIC on CPU %u: watchdog: no progress for 5 seconds\n",
			    this_cpu()->id);
	else
		panic_print("lodge: PANIC on CPU %u: %s, error %#" PRIx64 "\n", this_cpu()->id,
			    f->vector < ARRAY_SIZE(names) ? names[f->vector] : "exception",
			    f->error);
	print_registers(f);
	print_back_trace(f->rip, f->rsp);
	panic_end();
}

void panic(const char *fmt, ...)
{
	char text[200];
	va_list args;

	panic_begin();
	va_start(args, fmt);
	vformat(text, sizeof(text), fmt, args);
	va_end(args);
	panic_print("lodge: PANIC on CPU %u: %s\n", this_cpu()->id, text);
	print_back_trace((uintptr_t)__builtin_return_address(0),
			 (uintptr_t)__builtin_frame_address(0));
	panic_end();
}

void boot_fail(const char *fmt, ...)
{
	char text[300];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = vformat(text, sizeof(text), fmt, args);
	va_end(args);
	n = MIN(n, sizeof(text) - 1);
	serial_init(); /* idempotent: we may be early */
	serial_set_synchronous();
	spinlock_stop_checks();
	console_force_unlock();
	console_write("lodge: cannot start: ", 21);
	console_write(text, n);
	if (n == 0 || text[n - 1] != '\n')
		console_write("\n", 1);
	send_reason_to_others(NMI_STOP);
	halt_forever();
}

void __stack_chk_fail(void)
{
	panic("stack overrun detected");
}
