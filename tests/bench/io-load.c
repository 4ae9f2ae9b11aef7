/*
 * io-load: load for disks and networks, and what it took. The same program runs in a guest and in the service VM, so
 * it is linked statically. tests/bench/io tells what its figures are good for.
 *
 *   io-load disk FILE read|write BYTES DEPTH sequential|random COUNT
 *   io-load send ADDRESS COUNT      by TCP, 64 KiB each; until the other side has got all
 *   io-load ping ADDRESS COUNT      one after the other
 *   io-load events                  how many this machine's device event channels have had, since its start
 *   io-load serve                   takes what others send, and does for others what they ask
 *   io-load ask ADDRESS WORD...     has the io-load that serves there do any of these
 *
 * The first three end with a line "BENCH count bytes ns"; bytes are those of one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SINK_PORT    5001
#define ASK_PORT     5002
#define MAX_DEPTH    64
#define MAX_WORDS    16
#define CHUNK        65536
#define PING_BYTES   56
#define PING_TIMEOUT 1 /* second */

static int run(int nr_words, char **words);

static void __attribute__((noreturn)) fail(const char *what)
{
	printf("io-load: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void report(uint64_t count, uint64_t bytes, uint64_t began_ns)
{
	printf("BENCH %llu %llu %llu\n", (unsigned long long)count, (unsigned long long)bytes,
	       (unsigned long long)(now_ns() - began_ns));
}

/* --- disks: the kernel's own asynchronous interface, with O_DIRECT --- */

struct disk_load {
	int fd;
	bool is_write, is_random;
	uint64_t bytes, places, count, nr_begun;
	uint64_t random_state;
	aio_context_t context;
	struct iocb blocks[MAX_DEPTH];
};

static uint64_t random_next(struct disk_load *l)
{
	l->random_state ^= l->random_state << 13;
	l->random_state ^= l->random_state >> 7;
	l->random_state ^= l->random_state << 17;
	return l->random_state;
}

static void begin(struct disk_load *l, struct iocb **blocks, long nr)
{
	for (long i = 0; i < nr; i++) {
		uint64_t place = l->is_random ? random_next(l) : l->nr_begun;

		blocks[i]->aio_offset = (int64_t)(place % l->places * l->bytes);
		l->nr_begun++;
	}
	if (nr && syscall(SYS_io_submit, l->context, nr, blocks) != nr)
		fail("io_submit");
}

static void do_disk(struct disk_load *l, uint64_t depth)
{
	struct iocb *blocks[MAX_DEPTH];
	struct io_event events[MAX_DEPTH];
	uint64_t ended = 0, began_ns = now_ns();
	long nr = (long)depth;

	for (long i = 0; i < nr; i++)
		blocks[i] = &l->blocks[i];
	begin(l, blocks, nr);
	while (ended < l->count) {
		long more = 0;

		nr = syscall(SYS_io_getevents, l->context, 1L, (long)depth, events, NULL);
		if (nr < 1)
			fail("io_getevents");
		for (long i = 0; i < nr; i++) {
			if (events[i].res != (int64_t)l->bytes)
				fail("a request has failed");
			ended++;
			if (l->nr_begun + (uint64_t)more < l->count)
				blocks[more++] = &l->blocks[events[i].data];
		}
		begin(l, blocks, more);
	}
	report(l->count, l->bytes, began_ns);
}

/* FILE read|write BYTES DEPTH sequential|random COUNT */
static int load_disk(char **words)
{
	static struct disk_load l; /* cannot fail by the stack */
	uint64_t depth = strtoull(words[3], NULL, 10), size;
	unsigned char *memory;

	l = (struct disk_load){
		.is_write = !strcmp(words[1], "write"),
		.is_random = !strcmp(words[4], "random"),
		.bytes = strtoull(words[2], NULL, 10),
		.count = strtoull(words[5], NULL, 10),
		.random_state = 88172645463325252,
	};
	l.fd = open(words[0], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (l.fd < 0 || ioctl(l.fd, BLKGETSIZE64, &size))
		fail(words[0]);
	if (!l.bytes || !depth || depth > MAX_DEPTH || depth > l.count || size < l.bytes)
		return 2;
	l.places = size / l.bytes;
	memory = mmap(NULL, depth * l.bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED || syscall(SYS_io_setup, (unsigned int)depth, &l.context))
		fail("io_setup");
	for (uint64_t i = 0; i < depth; i++)
		l.blocks[i] = (struct iocb){
			.aio_data = i,
			.aio_lio_opcode = l.is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)l.fd,
			.aio_buf = (uint64_t)(uintptr_t)(memory + i * l.bytes),
			.aio_nbytes = l.bytes,
		};
	do_disk(&l, depth);
	(void)syscall(SYS_io_destroy, l.context);
	(void)munmap(memory, depth * l.bytes);
	(void)close(l.fd);
	return 0;
}

/* --- networks --- */

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		fail(text);
	return address;
}

static int connect_to(const char *text, uint16_t port)
{
	struct sockaddr_in address = address_of(text, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		fail(text);
	return fd;
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = address_of("0.0.0.0", port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 8))
		fail("listening");
	return fd;
}

/* ADDRESS COUNT */
static int load_send(char **words)
{
	static char chunk[CHUNK];
	uint64_t began_ns, count = strtoull(words[1], NULL, 10);
	int fd = connect_to(words[0], SINK_PORT);
	char byte;

	began_ns = now_ns();
	for (uint64_t left = count * CHUNK; left;) {
		ssize_t sent = write(fd, chunk, left < CHUNK ? left : CHUNK);

		if (sent <= 0)
			fail("sending");
		left -= (uint64_t)sent;
	}
	if (shutdown(fd, SHUT_WR) || read(fd, &byte, 1) != 1) /* the other side has seen the end */
		fail("the answer");
	report(count, CHUNK, began_ns);
	(void)close(fd);
	return 0;
}

static uint16_t checksum(const uint8_t *data, size_t bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static bool ping(int fd, uint16_t nth)
{
	uint8_t packet[sizeof(struct icmphdr) + PING_BYTES] = { 0 };
	uint8_t answer[sizeof(struct iphdr) + 40 + sizeof(packet)];
	struct icmphdr header = { .type = ICMP_ECHO };
	ssize_t length;

	header.un.echo.sequence = htons(nth);
	memcpy(packet, &header, sizeof(header));
	header.checksum = checksum(packet, sizeof(packet));
	memcpy(packet, &header, sizeof(header));
	if (send(fd, packet, sizeof(packet), 0) != (ssize_t)sizeof(packet))
		return false;
	while ((length = recv(fd, answer, sizeof(answer), 0)) > (ssize_t)sizeof(struct iphdr)) {
		size_t ip = (answer[0] & 0xfu) * 4;

		if ((size_t)length < ip + sizeof(header))
			continue;
		memcpy(&header, answer + ip, sizeof(header));
		if (header.type == ICMP_ECHOREPLY && header.un.echo.sequence == htons(nth))
			return true;
	}
	return false;
}

/* ADDRESS COUNT */
static int load_ping(char **words)
{
	struct sockaddr_in address = address_of(words[0], 0);
	struct timeval timeout = { .tv_sec = PING_TIMEOUT };
	uint64_t began_ns, count = strtoull(words[1], NULL, 10);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		fail(words[0]);
	began_ns = now_ns();
	for (uint64_t i = 0; i < count; i++)
		if (!ping(fd, (uint16_t)i))
			fail("no answer");
	report(count, PING_BYTES, began_ns);
	(void)close(fd);
	return 0;
}

/* Those of device channels; timers and the like have a kind of their own. */
static int tell_events(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned long long sum = 0, nr;
	char line[512];

	if (!file)
		fail("/proc/interrupts");
	while (fgets(line, sizeof(line), file)) {
		const char *at = strchr(line, ':');
		char *end;

		if (!at || !strstr(line, "xen-dyn"))
			continue;
		for (at++; nr = strtoull(at, &end, 10), end != at; at = end)
			sum += nr;
	}
	(void)fclose(file);
	printf("EVENTS %llu\n", sum);
	return 0;
}

/* --- for others --- */

static void serve_sink(void)
{
	static char buffer[4 * CHUNK];
	int fd, listener = listen_at(SINK_PORT);

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		(void)!write(fd, "", 1);
		(void)close(fd);
	}
	fail("accept");
}

/* One line of words; what comes of it goes back. In a process of its own, which may fail. */
static void answer(int fd)
{
	char line[512], *words[MAX_WORDS];
	ssize_t length = read(fd, line, sizeof(line) - 1);
	int nr = 0;

	if (length <= 0)
		exit(1);
	line[length] = '\0';
	for (char *word = strtok(line, " \n"); word && nr < MAX_WORDS; word = strtok(NULL, " \n"))
		words[nr++] = word;
	(void)dup2(fd, STDOUT_FILENO);
	exit(run(nr, words));
}

static int serve(void)
{
	int fd, listener;

	if (!fork())
		serve_sink();
	listener = listen_at(ASK_PORT);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pid_t child = fork();

		if (!child)
			answer(fd);
		(void)close(fd);
		(void)waitpid(child, NULL, 0);
	}
	fail("accept");
}

static int ask(int nr_words, char **words)
{
	int fd = connect_to(words[0], ASK_PORT);
	char text[512];
	size_t used = 0;
	ssize_t length;

	for (int i = 1; i < nr_words; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c", words[i],
					 i + 1 < nr_words ? ' ' : '\n');
	if (write(fd, text, used) != (ssize_t)used)
		fail("asking");
	while ((length = read(fd, text, sizeof(text))) > 0)
		if (fwrite(text, 1, (size_t)length, stdout) != (size_t)length)
			fail("the answer");
	return 0;
}

static int run(int nr_words, char **words)
{
	const char *name = nr_words ? words[0] : "";

	if (!strcmp(name, "disk") && nr_words == 7)
		return load_disk(words + 1);
	if (!strcmp(name, "send") && nr_words == 3)
		return load_send(words + 1);
	if (!strcmp(name, "ping") && nr_words == 3)
		return load_ping(words + 1);
	if (!strcmp(name, "events") && nr_words == 1)
		return tell_events();
	if (!strcmp(name, "serve") && nr_words == 1)
		return serve();
	if (!strcmp(name, "ask") && nr_words > 2 && nr_words < MAX_WORDS)
		return ask(nr_words - 1, words + 1);
	fprintf(stderr, "usage: io-load disk|send|ping|events|serve|ask ...; see its source\n");
	return 2;
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	return run(argc - 1, argv + 1);
}
