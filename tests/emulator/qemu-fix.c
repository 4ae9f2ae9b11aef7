/*
 * Preloaded into QEMU by tests/machine: takes three mistakes out of its emulated CPUs (docs/testing.md, "The
 * emulator"), all of QEMU 7.2.
 *
 * cpu_clear_ignne(), called whenever a CPU loads the x87 unit's state, clears a flag of the *first* CPU, from
 * whatever thread, by an instruction that is not atomic. The flags of SVM are in the same word, so a change of
 * them by the first CPU at that moment is lost: it enters a guest without nested paging, or leaves one with it.
 * The function becomes a plain return. The flag (IGNNE#, for MS-DOS) is only ever set by a write to port 0xf0,
 * which no test does.
 *
 * VMRUN sets the bit of V_IRQ in interrupt_request, and each exit clears it, by instructions that are not atomic
 * and without the lock under which other threads set that of interrupts: an interrupt of the local APIC that
 * comes at that moment is noticed with the next one only, and the timer's may have none. The two instructions
 * become ones that touch only the byte of that bit; no other thread changes anything in it.
 *
 * VMRUN delivers an interrupt that it is to inject, but leaves it noted as an exception to come, too, which only
 * the next VM exit takes back. A CPU that leaves its loop before that, because its share of -icount ends or another
 * thread wants something, then delivers the interrupt once more, whatever the guest's flag says: Linux waits for ever
 * for a lock that it holds itself. The note is not made.
 *
 * Where QEMU's code is another one, this says so and changes nothing.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RET 0xc3u
#define SEARCHED \
	0x4000 /* before do_vmexit(): its file has helper_vmrun(), which is not exported, there */
#define V_IRQ_BYTE 1 /* of interrupt_request: the bit is 0x100 */

/* OPCODE /n with a base register, a displacement of 32 bits and an immediate of 32 bits: 10 bytes. */
struct insn {
	uint8_t modrm; /* without the register */
	uint8_t immediate[4];
	uint8_t byte; /* the immediate of the same, for the byte alone */
};

static const struct insn clear_v_irq = { 0xa0, { 0xff, 0xfe, 0xff, 0xff }, 0xfe };
static const struct insn set_v_irq = { 0x88, { 0x00, 0x01, 0x00, 0x00 }, 0x01 };

static bool set_rights(uint8_t *code, size_t bytes, int rights)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	size_t before = (uintptr_t)code % size;

	return !mprotect(code - before, before + bytes, rights);
}

static bool matches(const uint8_t *code, const struct insn *i)
{
	/* A CPU's common part lies before what the register points to: the displacement is negative. */
	return code[0] == 0x81 && (code[1] & 0xf8) == i->modrm && (code[1] & 7) != 4 &&
	       code[5] == 0xff && !memcmp(code + 6, i->immediate, sizeof(i->immediate));
}

/* The same with a lock prefix, for one byte, and two bytes that do nothing. */
static bool narrow(uint8_t *from, size_t bytes, const struct insn *i)
{
	for (uint8_t *code = from; code < from + bytes; code++) {
		int32_t displacement;
		uint8_t modrm = code[1];

		if (!matches(code, i))
			continue;
		memcpy(&displacement, code + 2, sizeof(displacement));
		displacement += V_IRQ_BYTE;
		code[0] = 0xf0;
		code[1] = 0x80;
		code[2] = modrm;
		memcpy(code + 3, &displacement, sizeof(displacement));
		code[7] = i->byte;
		code[8] = 0x66;
		code[9] = 0x90;
		return true;
	}
	return false;
}

/* What VMRUN does for an interrupt: three stores, exception_index the first, a look at the log's mask, and the
 * call that delivers, with 1 as its third argument. Other kinds of events are as above, but without that call. */
static bool notes_interrupt(const uint8_t *code)
{
	static const uint8_t none[] = { 0xff, 0xff, 0xff, 0xff }, third[] = { 0xba, 1, 0, 0, 0 };

	return code[0] == 0x89 && (code[1] & 0xc0) == 0x80 && code[5] == 0xff && code[6] == 0xc7 &&
	       code[16] == 0x48 && code[17] == 0xc7 && !memcmp(code + 23, none, sizeof(none)) &&
	       code[27] == 0xf6 && code[34] == 0x0f && code[35] == 0x85 &&
	       !memcmp(code + 40, third, sizeof(third));
}

static bool forget_interrupt(uint8_t *from, size_t bytes)
{
	static const uint8_t nop[] = { 0x66, 0x0f, 0x1f, 0x44, 0, 0 };

	for (uint8_t *code = from; code < from + bytes; code++) {
		if (notes_interrupt(code)) {
			memcpy(code, nop, sizeof(nop));
			return true;
		}
	}
	return false;
}

static bool correct_svm(void)
{
	uint8_t *exit = dlsym(RTLD_DEFAULT, "do_vmexit");
	bool done;

	if (!exit || !set_rights(exit - SEARCHED, 2 * SEARCHED, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	done = narrow(exit, SEARCHED, &clear_v_irq) &&
	       narrow(exit - SEARCHED, SEARCHED, &set_v_irq) &&
	       forget_interrupt(exit - SEARCHED, SEARCHED);
	return set_rights(exit - SEARCHED, 2 * SEARCHED, PROT_READ | PROT_EXEC) && done;
}

static bool return_at_once(void)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, "cpu_clear_ignne");

	if (!code || !set_rights(code, 1, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	*code = RET;
	return set_rights(code, 1, PROT_READ | PROT_EXEC);
}

__attribute__((constructor)) static void take_out_mistakes(void)
{
	bool done = return_at_once();

	if (!correct_svm() || !done)
		fputs("qemu-fix: this QEMU cannot be corrected; see tests/emulator/qemu-fix.c\n",
		      stderr);
}
