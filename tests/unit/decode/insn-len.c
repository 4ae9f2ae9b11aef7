/* x86/vm/insn-len.c: what is remembered of an instruction's length, and what is read each time. */
#include "unit.h"

#include <string.h>

#include "fake-arch.h"
#include "x86/vm/guest-mem.h"
#include "x86/vm/insn-len.h"

static struct vcpu vcpu;
static struct exit_info exit_info;
static uint8_t code[15];
static unsigned nr_reads;

unsigned guest_fetch_at_rip(struct vcpu *v, uint8_t *ret_bytes, unsigned nr)
{
	(void)v;
	memcpy(ret_bytes, code, nr);
	nr_reads++;
	return nr;
}

unsigned vcpu_code_bits(const struct vcpu *v)
{
	(void)v;
	return 64;
}

static void setup(void)
{
	fake_reset();
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.arch.regs.rip = 0x401000;
	exit_info = (struct exit_info){ .kind = EXIT_CPUID, .cr3 = 0x1000 };
	nr_reads = 0;
}

static void teardown(void)
{
}

static void set_code(const char *bytes, unsigned nr)
{
	memset(code, 0x90, sizeof(code));
	memcpy(code, bytes, nr);
}

START_TEST(the_usual_length_is_read_once)
{
	set_code("\x0f\xa2", 2);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 2);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 2);
	ck_assert_uint_eq(nr_reads, 1);
	exit_info.kind = EXIT_CR8;
	set_code("\x44\x0f\x22\xc0", 4);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 4);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 4);
	ck_assert_uint_eq(nr_reads, 2);
}
END_TEST

START_TEST(prefixes_of_one_process_decide_nothing_for_the_next)
{
	set_code("\x66\x66\x66\x66\x0f\xa2", 6);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 6);
	set_code("\x0f\xa2", 2);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 2);
}
END_TEST

START_TEST(rdtsc_and_rdtscp_of_one_kind_are_told_apart)
{
	exit_info.kind = EXIT_RDTSC;
	set_code("\x0f\x31", 2);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 2);
	set_code("\x0f\x01\xf9", 3);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 3);
	set_code("\x0f\x31", 2);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 2);
}
END_TEST

START_TEST(what_is_no_such_instruction_has_no_length)
{
	set_code("\x90", 1);
	ck_assert_uint_eq(insn_len(&vcpu, &exit_info), 0);
}
END_TEST

UNIT_MAIN("insn-len", setup, teardown, the_usual_length_is_read_once,
	  prefixes_of_one_process_decide_nothing_for_the_next,
	  rdtsc_and_rdtscp_of_one_kind_are_told_apart, what_is_no_such_instruction_has_no_length)
