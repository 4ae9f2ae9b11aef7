#include "lib/cpu-set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHITE " \t\r\n"

bool cpu_set_has(const struct cpu_set *set, unsigned int cpu)
{
	return cpu < CPU_SET_MAX && set->word[cpu / 64] & BIT64(cpu % 64);
}

bool cpu_set_is_empty(const struct cpu_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->word); i++)
		if (set->word[i])
			return false;
	return true;
}

static void put(struct cpu_set *set, unsigned int cpu, bool in)
{
	if (in)
		set->word[cpu / 64] |= BIT64(cpu % 64);
	else
		set->word[cpu / 64] &= ~BIT64(cpu % 64);
}

/* Takes a number off *text. */
static int take_cpu(const char **text, unsigned int *ret_cpu, struct err *err)
{
	size_t digits = strspn(*text, "0123456789");
	unsigned int cpu = 0;

	if (!digits)
		return err_set(err, -EINVAL, "not a list of CPUs such as \"0-3,^2,8\"");
	for (size_t i = 0; i < digits; i++) {
		cpu = cpu * 10 + (unsigned int)((*text)[i] - '0');
		if (cpu >= CPU_SET_MAX)
			return err_set(err, -ERANGE, "a CPU's number is at most %u",
				       CPU_SET_MAX - 1);
	}
	*text += digits;
	*ret_cpu = cpu;
	return 0;
}

/* Takes "3", "0-3" or "^2" off *text and does what it says. */
static int take_part(const char **text, struct cpu_set *set, struct err *err)
{
	bool in = **text != '^';
	unsigned int first = 0, last;
	int code;

	*text += !in;
	code = take_cpu(text, &first, err);
	last = first;
	if (!code && **text == '-') {
		++*text;
		code = take_cpu(text, &last, err);
	}
	if (code)
		return code;
	if (last < first)
		return err_set(err, -EINVAL, "%u-%u ends before it begins", first, last);
	for (unsigned int cpu = first; cpu <= last; cpu++)
		put(set, cpu, in);
	return 0;
}

int cpu_set_parse(const char *text, struct cpu_set *ret_set, struct err *err)
{
	struct cpu_set set = { { 0 } };

	for (;;) {
		int code;

		text += strspn(text, WHITE);
		code = take_part(&text, &set, err);
		if (code)
			return code;
		text += strspn(text, WHITE);
		if (!*text)
			break;
		if (*text++ != ',')
			return err_set(err, -EINVAL, "not a list of CPUs such as \"0-3,^2,8\"");
	}
	if (cpu_set_is_empty(&set))
		return err_set(err, -EINVAL, "no CPU is left in it");
	*ret_set = set;
	return 0;
}

char *cpu_set_format(const struct cpu_set *set)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	const char *comma = "";

	if (!stream)
		return NULL;
	for (unsigned int cpu = 0; cpu < CPU_SET_MAX; cpu++) {
		unsigned int last = cpu;

		if (!cpu_set_has(set, cpu))
			continue;
		while (cpu_set_has(set, last + 1))
			last++;
		if (last > cpu)
			fprintf(stream, "%s%u-%u", comma, cpu, last);
		else
			fprintf(stream, "%s%u", comma, cpu);
		comma = ",";
		cpu = last;
	}
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}
