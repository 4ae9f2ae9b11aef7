/* What the sandbox lets through, and what it does not: pv-drivers/back/lib/sandbox.c, each in a process of its own. */
#include "back/lib/sandbox.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define BYTES 65536u

/* How a process ends that does something in the sandbox: 0, or what killed it. */
static int end_of(void (*something)(void))
{
	struct err err;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (sandbox_enter(NULL, 0, &err))
			_exit(99);
		something();
		syscall(SYS_exit_group, 0); /* the sanitizer has more to do in _exit() */
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static char *map(void)
{
	return mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* As malloc() does it for other threads than the first. */
static void grow_heap(void)
{
	char *memory = map();

	if (memory == MAP_FAILED || mprotect(memory, BYTES, PROT_READ | PROT_WRITE))
		abort();
	memory[BYTES - 1] = 1;
}

static void make_code(void)
{
	(void)!mprotect(map(), BYTES, PROT_READ | PROT_EXEC);
}

static void map_code(void)
{
	(void)!mmap(NULL, BYTES, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void kill_another(void)
{
	(void)!syscall(SYS_tgkill, 1, 1, 0);
}

static void open_something(void)
{
	(void)!syscall(SYS_openat, -100, "/", 0);
}

START_TEST(the_heap_of_a_thread_may_grow)
{
	ck_assert_int_eq(end_of(grow_heap), 0);
}
END_TEST

START_TEST(no_memory_becomes_code)
{
	ck_assert_int_eq(end_of(make_code), SIGSYS);
	ck_assert_int_eq(end_of(map_code), SIGSYS);
}
END_TEST

START_TEST(a_process_may_signal_itself_only)
{
	ck_assert_int_eq(end_of(abort), SIGABRT);
	ck_assert_int_eq(end_of(kill_another), SIGSYS);
}
END_TEST

START_TEST(nothing_is_opened)
{
	ck_assert_int_eq(end_of(open_something), SIGSYS);
}
END_TEST

UNIT_MAIN("back sandbox", NULL, NULL, the_heap_of_a_thread_may_grow, no_memory_becomes_code,
	  a_process_may_signal_itself_only, nothing_is_opened)
