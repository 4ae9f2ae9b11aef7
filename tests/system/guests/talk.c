/* A guest for the console's test. Its command line says how many numbered lines it prints, 0 for no end; then it
 * prints what is typed, line by line, until "end". */
#include "guest/guest.h"

#include "front/console.h"

static uint64_t parse_count(const char *text)
{
	uint64_t n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	return n;
}

static void read_line(char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && (!n || line[n - 1] != '\r')) {
		n += console_read(line + n, 1);
		sched_op(SCHEDOP_yield, NULL);
	}
	line[n ? n - 1 : 0] = '\0';
}

void guest_main(void)
{
	uint64_t count = parse_count(command_line());
	char line[64] = "";

	printf("first line\n");
	for (uint64_t i = 0; !count || i < count; i++)
		printf("line %08lu of a guest that prints as fast as it can, and waits when there is no room\n",
		       i);
	printf("last line\n");
	event_init(EVENT_PER_VCPU_VECTOR);
	if (!console_init())
		return;
	while (strcmp(line, "end") != 0) {
		read_line(line, sizeof(line));
		printf("typed: %s\n", line);
	}
}
