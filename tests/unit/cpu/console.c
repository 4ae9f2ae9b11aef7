/* core/console.c, core/debug-keys.c and core/trace.c: log, ring, input, console_io. */
#include "lodge/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/console.h"
#include "arch-inline.h"
#include "common.h"

static struct domain *service, *d;

static void setup(void)
{
	machine_setup(2);
	service = machine_domain(0, true, 1);
	d = machine_domain(1, false, 1);
	machine_run(service->vcpu[0], 0);
}

static void teardown(void)
{
	fake_core_reset();
}

static void clear_log(void)
{
	fake_log_len = 0;
	fake_log[0] = '\0';
}

static bool logged(const char *text)
{
	return strstr(fake_log, text);
}

static void type(const char *keys)
{
	for (; *keys; keys++)
		console_input(*keys);
}

static int64_t console_io(struct vcpu *v, uint64_t cmd, uint64_t bytes, guest_ptr_t at)
{
	return call(do_console_io, v, cmd, bytes, at.va);
}

/* Everything from *pos on. */
static size_t read_ring(uint64_t *pos, char *buf, size_t size)
{
	size_t n = 0, more;

	while (n < size - 1 && (more = console_read_ring(pos, buf + n, MIN(100, size - 1 - n))))
		n += more;
	buf[n] = '\0';
	return n;
}

/* Log */

START_TEST(a_message_has_its_time_and_the_name_of_the_house)
{
	fake_now_ns = 12345678 * NS_PER_US;
	log_info("hello %d\n", 42);
	ck_assert_str_eq(fake_log, "[   12.345678] lodge: hello 42\n");
}
END_TEST

START_TEST(the_level_decides_what_reaches_the_serial_line)
{
	char buf[500];
	uint64_t pos = 0;

	log_debug("too fine\n");
	ck_assert_str_eq(fake_log, "");
	read_ring(&pos, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "too fine")); /* but all is kept */
	console_level = LOG_ERR;
	log_warn("warning\n");
	ck_assert_str_eq(fake_log, "");
	log_err("error\n");
	ck_assert(logged("error"));
}
END_TEST

START_TEST(a_message_starts_on_a_line_of_its_own)
{
	console_write("login: ", 7);
	log_info("hello\n");
	log_info("again\n");
	ck_assert(logged("login: \n["));
	ck_assert(!logged("\n\n"));
}
END_TEST

START_TEST(a_message_that_is_too_long_is_cut_and_ends)
{
	char text[1000];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s\n", text);
	ck_assert_uint_lt(strlen(fake_log), 520);
	ck_assert_int_eq(fake_log[strlen(fake_log) - 1], '\n');
}
END_TEST

START_TEST(a_guest_can_print_16_messages_in_5_seconds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++)
		guest_log(d, "bad thing %u\n", i);
	for (const char *p = fake_log; *p; p++)
		n += *p == '\n';
	ck_assert_uint_eq(n, 16);
	ck_assert(logged("lodge: dom1: bad thing 15\n"));
	clear_log();
	fake_now_ns += 6 * NS_PER_SEC;
	guest_log(d, "one more\n");
	ck_assert(logged("dom1: 84 messages not shown\n"));
	ck_assert(logged("dom1: one more\n"));
}
END_TEST

START_TEST(the_limit_of_one_guest_does_not_silence_another)
{
	for (unsigned i = 0; i < 100; i++)
		guest_log(d, "noise\n");
	clear_log();
	guest_log(service, "important\n");
	ck_assert(logged("dom0: important\n"));
}
END_TEST

START_TEST(all_guests_together_print_128_messages_in_5_seconds)
{
	static struct domain many[20];
	unsigned n = 0;

	fake_now_ns += 6 * NS_PER_SEC; /* after what earlier tests have printed */
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = (struct domain){ .id = (domid_t)(10 + i) };
		for (unsigned m = 0; m < 16; m++)
			guest_log(&many[i], "noise\n");
	}
	for (const char *p = fake_log; *p; p++)
		n += *p == '\n';
	ck_assert_uint_eq(n, 128);
	clear_log();
	guest_log(service, "important\n");
	ck_assert(logged("dom0: important\n"));
	fake_now_ns += 6 * NS_PER_SEC;
	guest_log(&many[19], "one more\n");
	ck_assert(logged("dom29: 16 messages not shown\n"));
	ck_assert(logged("dom29: one more\n"));
}
END_TEST

/* Ring */

START_TEST(the_ring_keeps_the_last_64_kib)
{
	static char text[3 * 65536], buf[3 * 65536];
	uint64_t pos = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	for (size_t i = 0; i < sizeof(text); i += 512)
		console_write(text + i, 512);
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 65536);
	ck_assert_mem_eq(buf, text + sizeof(text) - 65536, 65536);
	ck_assert_uint_eq(pos, sizeof(text));
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(what_was_cleared_is_not_read_again)
{
	char buf[16];
	uint64_t pos = 0;

	console_write("old new", 7);
	console_clear_ring(4);
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 3);
	ck_assert_mem_eq(buf, "new", 3);
	console_clear_ring(2); /* what is cleared stays so */
	console_clear_ring(99);
	pos = 0;
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 0);
	console_write("more", 4);
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 4);
}
END_TEST

START_TEST(a_position_beyond_the_end_starts_at_the_oldest)
{
	char buf[100];
	uint64_t pos = 1000000;

	console_write("abc\n", 4);
	ck_assert_uint_eq(read_ring(&pos, buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "abc\n");
}
END_TEST

/* console_io */

START_TEST(console_io_is_for_the_privileged_only)
{
	ck_assert_int_eq(console_io(d->vcpu[0], CONSOLEIO_write, 1, fake_guest_space(8)),
			 -XEN_EPERM);
	ck_assert_int_eq(console_io(d->vcpu[0], CONSOLEIO_read, 1, fake_guest_space(8)),
			 -XEN_EPERM);
	ck_assert_str_eq(fake_log, "");
}
END_TEST

START_TEST(console_io_fails_with_enosys_for_another_command)
{
	ck_assert_int_eq(console_io(service->vcpu[0], 2, 1, fake_guest_space(8)), -XEN_ENOSYS);
}
END_TEST

START_TEST(write_goes_to_the_serial_line_as_it_is)
{
	char text[300];

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_write, sizeof(text),
				    fake_guest_put(text, sizeof(text))),
			 0);
	ck_assert_uint_eq(fake_log_len, sizeof(text));
	ck_assert_mem_eq(fake_log, text, sizeof(text));
}
END_TEST

START_TEST(write_fails_when_copy_in_faults)
{
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_write, 5, GUEST_PTR(8)),
			 -XEN_EFAULT);
	ck_assert_str_eq(fake_log, "");
}
END_TEST

START_TEST(a_long_write_can_be_stopped_and_goes_on)
{
	char text[300];
	struct hypercall_args a = { .arg = { CONSOLEIO_write, sizeof(text) } };

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	a.arg[2] = fake_guest_put(text, sizeof(text)).va;
	fake_should_stop = true;
	ck_assert(do_console_io(service->vcpu[0], &a) == HYPERCALL_RESTART);
	ck_assert_uint_gt(fake_log_len, 0);
	ck_assert_uint_lt(fake_log_len, sizeof(text));
	fake_should_stop = false;
	ck_assert_int_eq(do_console_io(service->vcpu[0], &a), 0);
	ck_assert_uint_eq(fake_log_len, sizeof(text));
	ck_assert_mem_eq(fake_log, text, sizeof(text));
}
END_TEST

START_TEST(input_reaches_the_service_vm)
{
	guest_ptr_t at = fake_guest_space(16);

	type("ls\r");
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_CONSOLE], 3);
	ck_assert_ptr_eq(fake_virq_domain[VIRQ_CONSOLE], service);
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 2, at), 2);
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, guest_ptr_add(at, 2)), 1);
	ck_assert_str_eq(fake_guest_at(at), "ls\r");
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, at), 0);
}
END_TEST

START_TEST(input_without_a_service_vm_waits_for_it)
{
	service_vm = NULL;
	type("x");
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_CONSOLE], 0);
	service_vm = service;
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, fake_guest_space(16)), 1);
}
END_TEST

START_TEST(read_keeps_what_the_guest_did_not_get)
{
	type("abc");
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, GUEST_PTR(8)),
			 -XEN_EFAULT);
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, fake_guest_space(16)), 3);
}
END_TEST

START_TEST(input_beyond_256_bytes_is_lost)
{
	guest_ptr_t at = fake_guest_space(1024);

	for (unsigned i = 0; i < 300; i++)
		console_input((char)('a' + i % 26));
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 1024, at), 256);
	type("z");
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 1024, at), 1);
}
END_TEST

/* Our own keys */

START_TEST(ctrl_a_three_times_switches_and_back)
{
	guest_ptr_t at = fake_guest_space(16);

	type("\1\1\1h");
	ck_assert(logged("hypervisor"));
	ck_assert(logged("run queues"));
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_CONSOLE], 0);
	type("\1\1\1x");
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, at), 1);
	ck_assert_int_eq(*(char *)fake_guest_at(at), 'x');
}
END_TEST

START_TEST(fewer_ctrl_a_reach_the_service_vm)
{
	guest_ptr_t at = fake_guest_space(16);

	type("\1\1x");
	ck_assert_int_eq(console_io(service->vcpu[0], CONSOLEIO_read, 16, at), 3);
	ck_assert_mem_eq(fake_guest_at(at), "\1\1x", 3);
}
END_TEST

START_TEST(every_key_of_the_help_shows_something)
{
	static const char keys[] = "deqr";

	d->pause_count = 1;
	for (unsigned i = 0; keys[i]; i++) {
		clear_log();
		debug_key(keys[i]);
		ck_assert_uint_gt(fake_log_len, 20);
	}
	clear_log();
	debug_key('Z');
	ck_assert_str_eq(fake_log, "");
}
END_TEST

START_TEST(the_keys_tell_who_runs_and_who_waits)
{
	debug_key('d');
	ck_assert(logged("cpu0 runs dom0 vcpu0"));
	ck_assert(logged("cpu1 is idle"));
	debug_key('q');
	ck_assert(logged("dom1: 1 vCPUs"));
	debug_key('r');
	ck_assert(logged("cpu1: 0 wait, load 0"));
	d->evtchn.max_port = 1000;
	debug_key('e');
	ck_assert(logged("dom1: 2-level events"));
}
END_TEST

bool evtchn_port_is_pending(struct domain *of, evtchn_port_t port)
{
	return of == d && port % 2;
}

START_TEST(pending_events_are_shown_but_not_without_end)
{
	d->evtchn.max_port = 1000;
	debug_key('e');
	ck_assert(logged("  port 127\n"));
	ck_assert(!logged("  port 129\n"));
}
END_TEST

START_TEST(a_panic_prints_even_if_the_lock_was_held)
{
	console_force_unlock();
	log_err("panic\n");
	ck_assert(logged("panic"));
}
END_TEST

/* Trace */

static char trace_text[20000];

__attribute__((format(printf, 1, 2))) static void collect(const char *fmt, ...)
{
	size_t used = strlen(trace_text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(trace_text + used, sizeof(trace_text) - used, fmt, args);
	va_end(args);
}

START_TEST(trace_tells_the_last_records_oldest_first)
{
	cpus[0]->trace.next = 0;
	for (unsigned i = 0; i < 3 * TRACE_RECORDS; i++) {
		fake_now_ns = i;
		trace(TRACE_WAKE, i);
	}
	fake_now_ns = 5000;
	trace(TRACE_TIMER, UINT64_MAX);
	trace_print(cpus[0], 3, collect);
	ck_assert_str_eq(trace_text, "cpu0 190 wake 0xbe\n"
				     "cpu0 191 wake 0xbf\n"
				     "cpu0 5000 timer 0xffffffffffffffff\n");
}
END_TEST

START_TEST(trace_prints_no_more_than_there_is)
{
	cpus[1]->trace.next = 0;
	trace_print(cpus[1], 1000, collect);
	ck_assert_str_eq(trace_text, "");
	trace_put(&cpus[1]->trace, 200, 1);
	trace_print(cpus[1], 1000, collect);
	ck_assert_ptr_nonnull(strstr(trace_text, "? 0x1"));
}
END_TEST

UNIT_MAIN("console", setup, teardown, a_message_has_its_time_and_the_name_of_the_house,
	  the_level_decides_what_reaches_the_serial_line, a_message_starts_on_a_line_of_its_own,
	  a_message_that_is_too_long_is_cut_and_ends, a_guest_can_print_16_messages_in_5_seconds,
	  the_limit_of_one_guest_does_not_silence_another,
	  all_guests_together_print_128_messages_in_5_seconds, the_ring_keeps_the_last_64_kib,
	  what_was_cleared_is_not_read_again, a_position_beyond_the_end_starts_at_the_oldest,
	  console_io_is_for_the_privileged_only, console_io_fails_with_enosys_for_another_command,
	  write_goes_to_the_serial_line_as_it_is, write_fails_when_copy_in_faults,
	  a_long_write_can_be_stopped_and_goes_on, input_reaches_the_service_vm,
	  input_without_a_service_vm_waits_for_it, read_keeps_what_the_guest_did_not_get,
	  input_beyond_256_bytes_is_lost, ctrl_a_three_times_switches_and_back,
	  fewer_ctrl_a_reach_the_service_vm, every_key_of_the_help_shows_something,
	  the_keys_tell_who_runs_and_who_waits, pending_events_are_shown_but_not_without_end,
	  a_panic_prints_even_if_the_lock_was_held, trace_tells_the_last_records_oldest_first,
	  trace_prints_no_more_than_there_is)
