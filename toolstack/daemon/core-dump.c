/*
 * See core-dump.h. The file: ELF header, program headers, a note for each vCPU, then memory. Memory is
 * listed twice: where it is physically, and, for a 64-bit kernel at Linux' place, where its page tables
 * have it; both point to the same bytes.
 */
#include "daemon/core-dump.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "build/build.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"

#define KERNEL_START UINT64_C(0xffffffff80000000)
#define KERNEL_END   UINT64_C(0xffffffffc0000000)
#define STEP         (UINT64_C(2) << 20) /* of which kernels are mapped */
#define MAX_LOADS    64u
#define MAX_VCPUS    128u
#define CHUNK        HYPERVISOR_BUFFER
#define PAGE         4096u

/* Its parts are aligned to 4 bytes and follow each other without a gap; a structure would be aligned to 8. */
struct note {
	Elf64_Nhdr header;
	char name[8];
	uint8_t status[sizeof(struct elf_prstatus)];
};

static_assert(sizeof(struct note) == 12 + 8 + sizeof(struct elf_prstatus), "no gap");

struct dump {
	struct job job;
	struct guest *guest; /* the loop's thread's */
	struct guest_waiter waiter;
	core_dump_done_fn done;
	void *argument;
	bool is_paused_here;

	char *path, *beside;
	uint32_t domain, nr_vcpus;
	uint64_t end; /* of memory */
	int fd;
	int ret;
	struct err err;
	Elf64_Phdr loads[MAX_LOADS];
	size_t nr_loads;
	uint64_t data; /* where memory starts in the file */
	uint8_t chunk[CHUNK];
};

/* --- in a thread --- */

static uint64_t offset_of(const struct dump *d, uint64_t gpa)
{
	return d->data + (gpa < BUILD_HIGH_RAM ? gpa : gpa - BUILD_HIGH_RAM + BUILD_LOW_RAM_END);
}

static void add_load(struct dump *d, uint64_t linear, uint64_t gpa, uint64_t bytes)
{
	Elf64_Phdr *last = d->nr_loads ? &d->loads[d->nr_loads - 1] : NULL;

	if (last && last->p_vaddr + last->p_memsz == linear &&
	    last->p_paddr + last->p_memsz == gpa) {
		last->p_memsz += bytes;
		last->p_filesz += bytes;
		return;
	}
	if (d->nr_loads == MAX_LOADS)
		return;
	d->loads[d->nr_loads++] = (Elf64_Phdr){ .p_type = PT_LOAD,
						.p_flags = PF_R | PF_W | PF_X,
						.p_vaddr = linear,
						.p_paddr = gpa,
						.p_filesz = bytes,
						.p_memsz = bytes };
}

static void find_loads(struct dump *d, struct hypervisor *hv)
{
	uint64_t gpa;

	add_load(d, 0, 0, MIN(d->end, BUILD_LOW_RAM_END));
	if (d->end > BUILD_HIGH_RAM)
		add_load(d, BUILD_HIGH_RAM, BUILD_HIGH_RAM, d->end - BUILD_HIGH_RAM);
	for (uint64_t linear = KERNEL_START; linear < KERNEL_END; linear += STEP) {
		if (!hypervisor_translate(hv, d->domain, 0, linear, &gpa) && gpa + STEP <= d->end)
			add_load(d, linear, gpa, STEP);
	}
}

static int put(struct dump *d, const void *data, size_t bytes, uint64_t at)
{
	const char *from = data;

	while (bytes) {
		ssize_t done = pwrite(d->fd, from, bytes, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_errno(&d->err, -errno, "%s", d->path);
		from += done;
		at += (uint64_t)done;
		bytes -= (size_t)done;
	}
	return 0;
}

static void fill_registers(struct note *n, uint32_t vcpu, const struct lodge_registers *r)
{
	struct user_regs_struct regs = {
		.r15 = r->r15,
		.r14 = r->r14,
		.r13 = r->r13,
		.r12 = r->r12,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.r11 = r->r11,
		.r10 = r->r10,
		.r9 = r->r9,
		.r8 = r->r8,
		.rax = r->rax,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.orig_rax = UINT64_MAX,
		.rip = r->rip,
		.cs = r->segment[1].selector,
		.eflags = r->rflags,
		.rsp = r->rsp,
		.ss = r->segment[2].selector,
		.fs_base = r->segment[4].base,
		.gs_base = r->segment[5].base,
	};
	struct elf_prstatus status = { .pr_pid = (pid_t)vcpu + 1 };

	static_assert(sizeof(status.pr_reg) == sizeof(regs), "one layout");
	memcpy(&status.pr_reg, &regs, sizeof(regs));
	*n = (struct note){
		.header = { .n_namesz = 5, .n_descsz = sizeof(n->status), .n_type = NT_PRSTATUS },
		.name = "CORE"
	};
	memcpy(n->status, &status, sizeof(status));
}

static int put_notes(struct dump *d, struct hypervisor *hv, uint64_t at)
{
	int ret = 0;

	for (uint32_t v = 0; !ret && v < d->nr_vcpus; v++) {
		struct lodge_registers r = { 0 };
		struct note n;

		(void)!hypervisor_registers(hv, d->domain, v,
					    &r); /* zeroes for one that is not up */
		fill_registers(&n, v, &r);
		ret = put(d, &n, sizeof(n), at + v * sizeof(n));
	}
	return ret;
}

static int put_headers(struct dump *d, struct hypervisor *hv)
{
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					   ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_CORE,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_phoff = sizeof(header),
			      .e_ehsize = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = (uint16_t)(d->nr_loads + 1) };
	uint64_t notes = sizeof(header) + (d->nr_loads + 1) * sizeof(Elf64_Phdr);
	Elf64_Phdr note = { .p_type = PT_NOTE,
			    .p_offset = notes,
			    .p_filesz = d->nr_vcpus * sizeof(struct note) };
	int ret;

	d->data = align_up(notes + note.p_filesz, PAGE);
	for (size_t i = 0; i < d->nr_loads; i++)
		d->loads[i].p_offset = offset_of(d, d->loads[i].p_paddr);
	ret = put(d, &header, sizeof(header), 0);
	if (!ret)
		ret = put(d, &note, sizeof(note), sizeof(header));
	if (!ret)
		ret = put(d, d->loads, d->nr_loads * sizeof(d->loads[0]),
			  sizeof(header) + sizeof(note));
	return ret ? ret : put_notes(d, hv, notes);
}

static bool is_zero(const uint8_t *bytes, size_t nr)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, nr - 1);
}

/* Pages that are all zero, or that it does not have, become holes. */
static int put_pages(struct dump *d, uint64_t gpa, size_t bytes)
{
	int ret = 0;

	for (size_t at = 0; !ret && at < bytes; at += PAGE) {
		if (!is_zero(d->chunk + at, PAGE))
			ret = put(d, d->chunk + at, PAGE, offset_of(d, gpa + at));
	}
	return ret;
}

/* -ESRCH: there is no such domain any more. */
static int fetch(struct dump *d, struct hypervisor *hv, uint64_t gpa, size_t bytes)
{
	int ret = hypervisor_copy_out(hv, d->domain, gpa, d->chunk, bytes);

	if (!ret)
		return 0;
	for (size_t at = 0; ret != -ESRCH && at < bytes; at += PAGE) {
		ret = hypervisor_copy_out(hv, d->domain, gpa + at, d->chunk + at, PAGE);
		if (ret)
			memset(d->chunk + at, 0, PAGE);
	}
	return ret == -ESRCH ? err_set(&d->err, ret, "the guest has ended meanwhile") : 0;
}

static int put_memory(struct dump *d, struct hypervisor *hv)
{
	size_t bytes;
	int ret = 0;

	for (uint64_t gpa = 0; !ret && gpa < d->end; gpa += bytes) {
		if (gpa == BUILD_LOW_RAM_END)
			gpa = BUILD_HIGH_RAM;
		bytes = (size_t)MIN(d->end - gpa, CHUNK);
		ret = fetch(d, hv, gpa, bytes);
		if (!ret)
			ret = put_pages(d, gpa, bytes);
	}
	if (!ret && ftruncate(d->fd, (off_t)offset_of(d, d->end)))
		ret = err_errno(&d->err, -errno, "%s", d->path);
	return ret;
}

static void write_dump(struct job *j, struct hypervisor *hv)
{
	struct dump *d = container_of(j, struct dump, job);

	d->ret = hv ? 0 : err_set(&d->err, -EIO, "the hypervisor cannot be reached");
	if (d->ret)
		return;
	find_loads(d, hv);
	d->ret = put_headers(d, hv);
	if (!d->ret)
		d->ret = put_memory(d, hv);
	if (!d->ret && rename(d->beside, d->path))
		d->ret = err_errno(&d->err, -errno, "%s", d->path);
}

/* --- in the loop's thread --- */

static void dump_free(struct dump *d)
{
	guest_unwait(&d->waiter);
	if (d->fd >= 0) {
		close(d->fd);
		if (d->ret)
			unlink(d->beside);
	}
	free(d->path);
	free(d->beside);
	free(d);
}

static void written(struct job *j)
{
	struct dump *d = container_of(j, struct dump, job);
	struct guest *g = d->guest && d->guest->domain == d->domain ? d->guest : NULL;

	if (g && d->is_paused_here)
		(void)!hypervisor_unpause(g->lodged->hv, d->domain);
	guest_unwait(&d->waiter);
	d->done(d->argument, g, d->ret, &d->err);
	dump_free(d);
}

static void guest_has_changed(struct guest_waiter *w, struct guest *g)
{
	struct dump *d = container_of(w, struct dump, waiter);

	if (!g)
		d->guest = NULL;
}

static int fill(struct dump *d, struct guest *g, const char *path, struct err *err)
{
	struct lodge_domain_info info;
	int ret = hypervisor_info(g->lodged->hv, g->domain, &info);

	if (ret)
		return err_errno(err, ret, "domain %u", g->domain);
	d->domain = g->domain;
	d->nr_vcpus = MIN(info.nr_vcpus, MAX_VCPUS);
	d->end = g->active->d->memory;
	if (d->end > BUILD_LOW_RAM_END)
		d->end += BUILD_HIGH_RAM - BUILD_LOW_RAM_END;
	d->path = strdup(path);
	if (asprintf(&d->beside, "%s.new", path) < 0)
		d->beside = NULL;
	if (!d->path || !d->beside)
		return err_set(err, -ENOMEM, "no memory");
	/* Nobody else's file: the folder may be one in which everybody can make some. */
	unlink(d->beside);
	d->fd = open(d->beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return d->fd < 0 ? err_errno(err, -errno, "%s", d->beside) : 0;
}

int core_dump(struct guest *g, const char *path, core_dump_done_fn done, void *argument,
	      struct err *err)
{
	struct dump *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return err_set(err, -ENOMEM, "no memory");
	d->fd = -1;
	ret = fill(d, g, path, err);
	if (!ret && g->state == GUEST_RUNNING) {
		ret = hypervisor_pause(g->lodged->hv, g->domain);
		d->is_paused_here = !ret;
		if (ret)
			err_errno(err, ret, "pausing \"%s\"", g->name);
	}
	if (ret) {
		d->ret = ret;
		dump_free(d);
		return ret;
	}
	d->guest = g;
	d->done = done;
	d->argument = argument;
	d->waiter.changed = guest_has_changed;
	guest_wait(g, &d->waiter);
	d->job.work = write_dump;
	d->job.done = written;
	jobs_submit(g->lodged->jobs, &d->job);
	return 0;
}
