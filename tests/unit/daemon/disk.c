/* Disks by lodged's own protocol. lodge-block is a script that writes down how it was called, and stays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/sched.h"
#include "daemon/disk-source.h"
#include "daemon/disk.h"
#include "daemon/guest.h"
#include "unit.h"
#include "world.h"

#define BACK "/local/domain/0/backend/lodge-block/1/51712"

static void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(world_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void make_image(const char *name, off_t bytes)
{
	write_file(name, "", 0600);
	ck_assert_int_eq(truncate(world_path(name), bytes), 0);
}

static void setup(void)
{
	world_setup();
	write_file("run/lodge-block",
		   "#!/bin/sh\necho \"$@\" >\"${0%/*}/called\"\nexec sleep 20 >/dev/null 2>&1\n",
		   0700);
	make_image("a.img", 1 << 20);
	make_image("b.img", 1 << 20);
}

/* <devices> with one disk; more: elements of it. */
static const char *disk_xml(const char *image, const char *target, const char *more)
{
	static char xml[1024];

	snprintf(
		xml, sizeof(xml),
		"<devices><disk><source file=\\\"%s\\\"/><target dev=\\\"%s\\\"/>%s</disk></devices>",
		world_path(image), target, more);
	return xml;
}

static void create(const char *name, const char *image, const char *more)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml(name, disk_xml(image, "xvda", more)));
}

static const char *code_of(const char *name, const char *image, const char *more)
{
	return world_code("{'verb':'create','xml':'%s'}",
			  world_xml(name, disk_xml(image, "xvda", more)));
}

static const char *read_back(const char *name)
{
	static char text[2048];
	int fd = open(world_path(name), O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = 0;
	return text;
}

static bool was_called_with(const char *word)
{
	return strstr(read_back("run/called"), word) != NULL;
}

START_TEST(a_disk_has_its_nodes_its_process_and_its_journal)
{
	create("web", "a.img",
	       "<iotune><total_iops_sec>100</total_iops_sec><total_iops_sec_max>500</total_iops_sec_max>"
	       "</iotune>");
	ck_assert_str_eq(node("/local/domain/1/device/vbd/51712/backend"), BACK);
	ck_assert_str_eq(node("/local/domain/1/device/vbd/51712/virtual-device"), "51712");
	ck_assert_str_eq(node(BACK "/mode"), "w");
	ck_assert_str_eq(node(BACK "/dev"), "xvda");
	world_until(was_called_with("--limit=operations-total-max=500"));
	ck_assert(was_called_with("--domain 1 --frontend /local/domain/1/device/vbd/51712"));
	ck_assert(was_called_with("--journal-fd 3 --disk-fd 4 --queues 1 --discard"));
	ck_assert(was_called_with("--limit=operations-total=100"));
	ck_assert_int_eq(access(world_path("run/block-1-51712"), F_OK), 0);
	world_ok("{'verb':'destroy','guest':'web'}");
	world_until(access(world_path("run/block-1-51712"), F_OK));
}
END_TEST

START_TEST(each_guest_s_processes_have_a_user_of_their_own)
{
	create("web", "a.img", "");
	world_until(was_called_with("--user 5001"));
	create("db", "b.img", "");
	world_until(was_called_with("--user 5002"));
}
END_TEST

/* The process of the disk gets ready some time after its start. */
static struct loop_timer backend;
static unsigned int pauses_before;

static void backend_is_ready(struct loop_timer *t)
{
	struct batch b;
	struct err err;

	(void)t;
	pauses_before = fake_domain(1)->info.pause_count;
	batch_init(&b);
	batch_at(&b, BACK);
	batch_write(&b, "state", "2");
	ck_assert_int_eq(nodes_run(lodged.nodes, &b, false, &err), 0);
	batch_fini(&b);
}

static const char *call_without_kernel(const char *element)
{
	return world_code(
		"{'verb':'create','xml':'<domain type=\\\"xen\\\"><name>web</name>"
		"<memory unit=\\\"MiB\\\">64</memory><os><type>xenpvh</type>%s</os>%s</domain>'}",
		element, disk_xml("a.img", "xvda", ""));
}

static const char *create_without_kernel(const char *element)
{
	const char *code;

	backend.fire = backend_is_ready;
	loop_timer_start(&lodged.loop, &backend, 300);
	code = call_without_kernel(element);
	loop_timer_stop(&backend);
	return code;
}

static void destroy_it(struct loop_timer *t)
{
	struct guest *g = guest_by_name(&lodged, "web");

	(void)t;
	ck_assert_int_eq(g->state, GUEST_BUILDING);
	guest_start_cancel(g);
}

START_TEST(a_guest_without_a_kernel_starts_by_grub_which_has_to_be_there)
{
	ck_assert_str_eq(create_without_kernel(""), "failed");
	ck_assert(list_is_empty(&lodged.guests));
	ck_assert_int_eq(link(world_path("kernel"), lodged.options.grub), 0);
	ck_assert_str_eq(create_without_kernel(""), "ok");
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'web'}"), "loader"),
			 lodged.options.grub);
}
END_TEST

START_TEST(a_guest_that_grub_starts_is_let_run_when_its_disks_are_ready)
{
	ck_assert_int_eq(link(world_path("kernel"), lodged.options.grub), 0);
	ck_assert_str_eq(create_without_kernel(""), "ok");
	ck_assert_uint_eq(pauses_before, 1);
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
}
END_TEST

START_TEST(a_guest_that_waits_for_its_disks_can_be_destroyed)
{
	ck_assert_int_eq(link(world_path("kernel"), lodged.options.grub), 0);
	backend.fire = destroy_it;
	loop_timer_start(&lodged.loop, &backend, 300);
	ck_assert_str_eq(call_without_kernel(""), "failed");
	world_until(!fake_nr_domains());
	ck_assert(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(a_loader_of_the_guests_own_starts_in_place_of_grub)
{
	char loader[300];

	snprintf(loader, sizeof(loader), "<loader>%s</loader>", world_path("kernel"));
	ck_assert_str_eq(create_without_kernel(loader), "ok");
}
END_TEST

static const char *seed_xml(const char *user_data)
{
	static char xml[1024];

	snprintf(
		xml, sizeof(xml),
		"<metadata xmlns:l=\\\"urn:lodge:domain:1\\\"><l:cloud-init><l:user-data %s/></l:cloud-init>"
		"</metadata>",
		user_data);
	return xml;
}

static const char *code_of_seed(const char *user_data)
{
	return world_code("{'verb':'create','xml':'%s'}", world_xml("web", seed_xml(user_data)));
}

/* A file of the seed that the process of the disk has: xorriso knows how to read it. */
static const char *extract_seed(const char *name)
{
	static char path[300];
	char command[1200], seed[256];
	const struct device *d = device_find(guest_by_name(&lodged, "web"), &disk_class, "xvdz");
	int pid = child_pid(d->process);

	snprintf(seed, sizeof(seed), "%s", world_path("seed"));
	snprintf(command, sizeof(command),
		 "rm -rf %s && cp /proc/%d/fd/4 %s.iso && "
		 "xorriso -osirrox on -indev %s.iso -extract / %s >/dev/null 2>&1",
		 seed, pid, seed, seed, seed);
	ck_assert_int_eq(system(command), 0);
	snprintf(path, sizeof(path), "seed/%s", name);
	return read_back(path);
}

START_TEST(a_seed_for_cloud_init_is_one_more_disk)
{
	char meta_data[128], xml[300];

	write_file("user", "#!/bin/sh\necho hello\n", 0600);
	snprintf(xml, sizeof(xml), "file=\\\"%s\\\"", world_path("user"));
	ck_assert_str_eq(code_of_seed(xml), "ok");
	world_until(was_called_with("--read-only"));
	ck_assert_str_eq(node("/local/domain/1/device/vbd/268441856/virtual-device"), "268441856");
	ck_assert_str_eq(extract_seed("user-data"), "#!/bin/sh\necho hello\n");
	snprintf(meta_data, sizeof(meta_data), "instance-id: %s\nlocal-hostname: web\n",
		 text_of(world_ok("{'verb':'info','guest':'web'}"), "uuid"));
	ck_assert_str_eq(extract_seed("meta-data"), meta_data);
	ck_assert_str_eq(extract_seed("network-config"), "");
}
END_TEST

START_TEST(a_seed_is_still_there_when_lodged_starts_anew)
{
	write_file("user", "#!/bin/sh\n", 0600);
	ck_assert_str_eq(code_of_seed(""), "invalid");
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}",
				    world_xml("web", "<metadata xmlns:l=\\\"urn:lodge:domain:1\\\">"
						     "<l:cloud-init/></metadata>")),
			 "ok");
	world_until(was_called_with("--read-only"));
	world_restart();
	ck_assert_str_eq(extract_seed("user-data"), "#cloud-config\n");
}
END_TEST

START_TEST(a_seed_that_cloud_init_would_not_understand_is_refused)
{
	char xml[300];

	snprintf(xml, sizeof(xml), "file=\\\"%s\\\"", world_path("user"));
	ck_assert_str_eq(code_of_seed(xml), "failed");
	write_file("user", "users: []\n", 0600);
	ck_assert_str_eq(code_of_seed(xml), "invalid");
	write_file("user", "#cloud-config\nusers: [\n", 0600);
	ck_assert_str_eq(code_of_seed(xml), "invalid");
	ck_assert(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(what_would_make_lodged_wait_is_refused)
{
	char xml[300], pipe[256];

	snprintf(pipe, sizeof(pipe), "%s", world_path("pipe"));
	snprintf(xml, sizeof(xml), "file=\\\"%s\\\"", pipe);
	ck_assert_int_eq(mkfifo(pipe, 0600), 0);
	ck_assert_str_eq(code_of("web", "pipe", "<readonly/>"), "invalid");
	ck_assert_str_eq(code_of("web", "pipe", ""), "invalid");
	ck_assert_str_eq(code_of_seed(xml), "invalid");
	ck_assert_str_eq(world_code("{'verb':'disk-clone','from':'%s','to':'%s.2'}", pipe, pipe),
			 "invalid");
}
END_TEST

START_TEST(a_seed_of_bytes_that_are_no_text_is_refused)
{
	char xml[300];
	int fd;

	snprintf(xml, sizeof(xml), "file=\\\"%s\\\"", world_path("user"));
	write_file("user", "#!/bin/sh\n", 0600);
	fd = open(world_path("user"), O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "\0more", 5), 5);
	close(fd);
	ck_assert_str_eq(code_of_seed(xml), "invalid");
	snprintf(xml, sizeof(xml), "file=\\\"%s\\\"", world_path("run"));
	ck_assert_str_eq(code_of_seed(xml), "invalid");
}
END_TEST

static void check_name(const struct disk *disk, const char *wanted)
{
	char *name = disk_source_name(disk);

	ck_assert_str_eq(name, wanted);
	free(name);
}

START_TEST(network_sources_have_the_names_that_qemu_knows)
{
	char one[] = "one.example", two[] = "[fd00::2]", socket[] = "/run/nbd";
	char export[] = "disk", target[] = "iqn.2026-01.example:disks", lun[] = "iqn.x:y/3";
	char image[] = "pool/a:b@c";
	struct disk_host hosts[] = { { .name = one, .port = 7000 }, { .name = two } };
	struct disk_host local = { .transport = HOST_UNIX, .socket = socket };
	struct disk disk = { .type = DISK_NETWORK, .hosts = hosts, .nr_hosts = 1 };

	check_name(&disk, "nbd://one.example:7000/");
	disk.export_name = export;
	disk.hosts = hosts + 1;
	check_name(&disk, "nbd://[fd00::2]/disk");
	disk.hosts = &local;
	check_name(&disk, "nbd+unix:///disk?socket=/run/nbd");
	disk.hosts = hosts;
	disk.protocol = DISK_ISCSI;
	disk.export_name = target;
	check_name(&disk, "iscsi://one.example:7000/iqn.2026-01.example:disks/0");
	disk.export_name = lun;
	check_name(&disk, "iscsi://one.example:7000/iqn.x:y/3");
	disk.protocol = DISK_RBD;
	disk.nr_hosts = 2;
	disk.export_name = image;
	check_name(&disk, "rbd:pool/a\\:b\\@c:mon_host=one.example\\:7000;[fd00\\:\\:2]");
}
END_TEST

START_TEST(an_image_that_is_missing_is_refused)
{
	ck_assert_str_eq(code_of("web", "none.img", ""), "failed");
	ck_assert(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(an_image_of_another_format_than_said_is_refused)
{
	write_file("q.img", "QFI\xfb and so on", 0600);
	ck_assert_str_eq(code_of("web", "q.img", ""), "invalid");
	ck_assert_str_eq(code_of("web", "a.img", "<driver type=\\\"qcow2\\\"/>"), "invalid");
	ck_assert_str_eq(code_of("web", "a.img", "<driver type=\\\"vpc\\\"/>"), "invalid");
	write_file("v.img", "KDMV and so on", 0600);
	ck_assert_str_eq(code_of("web", "v.img", ""), "invalid");
	ck_assert_str_eq(code_of("web", "v.img", "<driver type=\\\"vdi\\\"/>"), "invalid");
}
END_TEST

START_TEST(an_image_that_is_no_file_is_refused)
{
	ck_assert_int_eq(mkdir(world_path("folder"), 0700), 0);
	ck_assert_str_ne(code_of("web", "folder", "<readonly/>"), "ok");
}
END_TEST

START_TEST(an_image_in_use_is_refused_until_the_other_guest_has_ended)
{
	create("web", "a.img", "");
	ck_assert_str_eq(code_of("db", "a.img", ""), "busy");
	ck_assert_str_eq(code_of("db", "a.img", "<readonly/>"), "busy");
	ck_assert_str_eq(code_of("db", "a.img", "<shareable/>"), "busy");
	world_ok("{'verb':'destroy','guest':'web'}");
	world_until(list_is_empty(&lodged.guests));
	create("db", "a.img", "");
}
END_TEST

/* What a backend has begun may go on when its process has ended. */
START_TEST(an_image_is_free_when_destroy_is_answered)
{
	write_file("run/lodge-block",
		   "#!/bin/sh\ntrap 'exit 0' TERM\necho \"$@\" >\"${0%/*}/called\"\n"
		   "sleep 1 >/dev/null 2>&1 &\nwait\n",
		   0700);
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	world_ok("{'verb':'destroy','guest':'web'}");
	create("db", "a.img", "");
}
END_TEST

START_TEST(images_are_shared_by_those_that_only_read_or_may_share)
{
	create("web", "a.img", "<readonly/>");
	create("db", "a.img", "<readonly/>");
	ck_assert_str_eq(code_of("mail", "a.img", ""), "busy");
	create("one", "b.img", "<shareable/>");
	create("two", "b.img", "<shareable/>");
	ck_assert_str_eq(node("/local/domain/0/backend/lodge-block/1/51712/mode"), "r");
}
END_TEST

START_TEST(one_guest_cannot_have_an_image_twice)
{
	create("web", "a.img", "");
	ck_assert_str_eq(world_code("{'verb':'disk-attach','guest':'web','xml':'<disk><source "
				    "file=\\\"%s\\\"/><target dev=\\\"xvdb\\\"/></disk>'}",
				    world_path("a.img")),
			 "busy");
}
END_TEST

static void attach(const char *image, const char *target)
{
	world_ok("{'verb':'disk-attach','guest':'web','xml':'<disk><source file=\\\"%s\\\"/>"
		 "<target dev=\\\"%s\\\"/></disk>'}",
		 world_path(image), target);
}

START_TEST(disks_come_go_and_are_listed_while_a_guest_runs)
{
	const cJSON *disks;

	create("web", "a.img", "");
	attach("b.img", "xvdc");
	ck_assert_str_eq(node("/local/domain/1/device/vbd/51744/state"), "1");
	disks = cJSON_GetObjectItem(world_ok("{'verb':'disk-list','guest':'web'}"), "disks");
	ck_assert_int_eq(cJSON_GetArraySize(disks), 2);
	ck_assert_str_eq(text_of(cJSON_GetArrayItem(disks, 1), "target"), "xvdc");
	ck_assert_int_eq(number_of(cJSON_GetArrayItem(disks, 1), "bytes"), 1 << 20);
	ck_assert_str_eq(world_code("{'verb':'disk-detach','guest':'web','target':'xvdz'}"),
			 "not-found");
	ck_assert_str_eq(world_code("{'verb':'disk-attach','guest':'web','xml':'<x/>'}"),
			 "invalid");
}
END_TEST

START_TEST(a_guest_that_reboots_keeps_the_disks_that_it_has)
{
	const cJSON *disks;

	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", disk_xml("a.img", "xvda", "")));
	world_ok("{'verb':'start','guest':'web'}");
	attach("b.img", "xvdc");
	world_until(was_called_with("51744"));
	fake_shut_down(1, SHUTDOWN_reboot);
	guests_look(&lodged);
	world_until(!strcmp(node("/local/domain/2/device/vbd/51744/state"), "1"));
	disks = cJSON_GetObjectItem(world_ok("{'verb':'disk-list','guest':'web'}"), "disks");
	ck_assert_int_eq(cJSON_GetArraySize(disks), 2);
	world_ok("{'verb':'destroy','guest':'web'}");
	world_until(guest_by_name(&lodged, "web")->state == GUEST_OFF);
	world_ok("{'verb':'start','guest':'web'}");
	ck_assert_str_eq(node("/local/domain/3/device/vbd/51744/state"), "");
}
END_TEST

START_TEST(a_new_lodged_has_the_image_and_its_lock_from_the_process_that_serves_it)
{
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	world_restart();
	ck_assert_str_eq(code_of("db", "a.img", ""), "busy");
	world_ok("{'verb':'destroy','guest':'web'}");
	world_until(list_is_empty(&lodged.guests));
	create("db", "a.img", "");
}
END_TEST

START_TEST(a_disk_grows_and_its_process_is_told)
{
	struct stat s;

	create("web", "a.img", "");
	world_ok("{'verb':'disk-resize','guest':'web','target':'xvda','bytes':2097152}");
	ck_assert_int_eq(stat(world_path("a.img"), &s), 0);
	ck_assert_int_eq(s.st_size, 2 << 20);
	ck_assert_str_eq(node(BACK "/resize"), "2097152");
	ck_assert_str_eq(
		world_code("{'verb':'disk-resize','guest':'web','target':'xvda','bytes':1048576}"),
		"invalid");
}
END_TEST

static pid_t pid_of_backend(void)
{
	return child_pid(device_find(guest_by_name(&lodged, "web"), &disk_class, "xvda")->process);
}

/* False: there is no qemu-img here, and so nothing to test. below: the image below it, or "". */
static bool make_qcow2(const char *name, const char *below, const char *format)
{
	char command[800], path[256];

	snprintf(path, sizeof(path), "%s", world_path(name));
	snprintf(command, sizeof(command),
		 *below ? "qemu-img create -q -f qcow2 -b %s -F %s %s"
			: "qemu-img create -q -f qcow2 %s%s%s 1M",
		 below, format, path);
	if (!access(DISK_QEMU_IMG, X_OK) && !access(DISK_QEMU_NBD, X_OK)) {
		ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): names of our own */
		return true;
	}
	puts("no qemu-utils here: nothing to test");
	return false;
}

#define QCOW2 "<driver type=\\\"qcow2\\\"/>"

/* What the process says of its image, when it has been started to let it grow. */
static struct loop_timer growing;
static const char *growing_text;

static void say_grown(struct loop_timer *t)
{
	struct batch b;
	struct err err;

	if (!was_called_with("--qemu-img /usr/bin/qemu-img --grow 2097152")) {
		loop_timer_start(&lodged.loop, t, 10);
		return;
	}
	batch_init(&b);
	batch_at(&b, BACK);
	batch_write(&b, "grown", "%s", growing_text);
	ck_assert_int_eq(nodes_run(lodged.nodes, &b, false, &err), 0);
	batch_fini(&b);
}

static const char *grow_code(const char *bytes, const char *text)
{
	const char *code;

	growing.fire = say_grown;
	growing_text = text;
	if (text)
		loop_timer_start(&lodged.loop, &growing, 10);
	code = world_code("{'verb':'disk-resize','guest':'web','target':'xvda','bytes':%s}", bytes);
	loop_timer_stop(&growing);
	return code;
}

START_TEST(a_qcow2_disk_grows_by_another_process_that_says_how_it_went)
{
	pid_t pid;

	if (!make_qcow2("q.img", "", ""))
		return;
	create("web", "q.img", QCOW2);
	world_until(was_called_with("--domain"));
	ck_assert(!was_called_with("--grow"));
	pid = pid_of_backend();
	ck_assert_str_eq(grow_code("524288", NULL), "invalid");
	ck_assert_str_eq(grow_code("2097153", NULL), "invalid");
	ck_assert_int_eq(pid_of_backend(), pid);
	ck_assert_str_eq(grow_code("2097152", "ok"), "ok");
	ck_assert_int_ne(pid_of_backend(), pid);
	ck_assert_str_eq(code_of("db", "q.img", QCOW2), "busy");
	unlink(world_path("run/called"));
	ck_assert_str_eq(grow_code("2097152", "it has snapshots"), "failed");
}
END_TEST

static void destroy_the_guest(struct loop_timer *t)
{
	(void)t;
	guest_destroy(guest_by_name(&lodged, "web"), "destroyed", "");
}

START_TEST(a_guest_may_end_while_its_disk_grows)
{
	if (!make_qcow2("q.img", "", ""))
		return;
	create("web", "q.img", QCOW2);
	world_until(was_called_with("--domain"));
	backend.fire = destroy_the_guest;
	loop_timer_start(&lodged.loop, &backend, 100);
	ck_assert_str_ne(grow_code("2097152", NULL), "ok");
	world_until(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(what_is_below_a_disk_is_written_by_nobody)
{
	char base[256], lower[256];

	snprintf(base, sizeof(base), "%s", world_path("a.img"));
	snprintf(lower, sizeof(lower), "%s", world_path("lower.img"));
	if (!make_qcow2("lower.img", base, "raw"))
		return;
	ck_assert(make_qcow2("top.img", lower, "qcow2"));
	ck_assert(make_qcow2("other.img", base, "raw"));
	create("web", "a.img", "");
	ck_assert_str_eq(code_of("db", "top.img", QCOW2), "busy");
	world_ok("{'verb':'destroy','guest':'web'}");
	create("db", "top.img", QCOW2);
	world_until(was_called_with("--domain 2"));
	ck_assert_str_eq(code_of("web", "a.img", ""), "busy");
	ck_assert_str_eq(code_of("web", "a.img", "<shareable/>"), "busy");
	ck_assert_str_eq(code_of("web", "lower.img", QCOW2), "busy");
	world_restart(); /* the process has the locks, too */
	ck_assert_str_eq(code_of("web", "a.img", ""), "busy");
	create("reader", "a.img", "<readonly/>");
	create("mail", "other.img", QCOW2);
	world_ok("{'verb':'destroy','guest':'db'}");
	world_ok("{'verb':'destroy','guest':'reader'}");
	world_ok("{'verb':'destroy','guest':'mail'}");
	create("one", "a.img", "<shareable/>");
	ck_assert_str_eq(code_of("db", "top.img", QCOW2), "busy");
}
END_TEST

START_TEST(an_image_that_is_missing_below_another_is_refused)
{
	char base[256];

	snprintf(base, sizeof(base), "%s", world_path("b.img"));
	if (!make_qcow2("top.img", base, "raw"))
		return;
	ck_assert_int_eq(unlink(base), 0);
	ck_assert_str_eq(code_of("web", "top.img", QCOW2), "failed");
	ck_assert(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(an_image_that_is_below_itself_is_refused)
{
	char base[256], command[600];

	snprintf(base, sizeof(base), "%s", world_path("q.img"));
	if (!make_qcow2("q.img", "", ""))
		return;
	snprintf(command, sizeof(command), "qemu-img rebase -u -b %s -F qcow2 %s", base, base);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a name of our own */
	ck_assert_str_eq(code_of("web", "q.img", QCOW2), "busy");
	ck_assert_str_eq(code_of("web", "q.img", QCOW2 "<readonly/>"), "failed");
}
END_TEST

static const char *clone_code(const char *from, const char *to, const char *how)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", world_path(from));
	return world_code("{'verb':'disk-clone','from':'%s','to':'%s','how':'%s'}", path,
			  world_path(to), how);
}

START_TEST(images_are_copied_to_files_that_are_not_there)
{
	struct stat s;

	write_file("a.img", "some data", 0600);
	ck_assert_int_eq(truncate(world_path("a.img"), 1 << 20), 0);
	ck_assert_str_eq(clone_code("a.img", "c.img", "copy"), "ok");
	ck_assert_str_eq(read_back("c.img"), "some data");
	ck_assert_int_eq(stat(world_path("c.img"), &s), 0);
	ck_assert_int_eq(s.st_size, 1 << 20);
	ck_assert_int_le(s.st_blocks, 64); /* holes stay holes */
	ck_assert_str_eq(clone_code("a.img", "c.img", "copy"), "exists");
	ck_assert_str_eq(clone_code("none.img", "d.img", "copy"), "failed");
	ck_assert_str_eq(clone_code("a.img", "d.img", "magic"), "invalid");
}
END_TEST

/* Else the guest reads every file of the host through the overlay. */
START_TEST(a_guest_does_not_decide_what_is_below_an_overlay)
{
	char header[112] = "QFI\xfb\0\0\0\3\0\0\0\0\0\0\0\x70\0\0\0\xb";
	int fd;

	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", disk_xml("a.img", "xvda", "")));
	for (const char *name = "a.img"; name; name = strcmp(name, "a.img") ? NULL : "b.img") {
		fd = open(world_path(name), O_WRONLY | O_CLOEXEC);
		ck_assert_int_eq(write(fd, header, sizeof(header)), sizeof(header));
		close(fd);
		ck_assert_str_eq(clone_code(name, "c.img", "overlay"), "invalid");
		ck_assert_int_ne(access(world_path("c.img"), F_OK), 0);
	}
	ck_assert_str_eq(clone_code("a.img", "c.img", "copy"), "ok");
}
END_TEST

START_TEST(a_clone_needs_both_names)
{
	ck_assert_str_eq(world_code("{'verb':'disk-clone','to':'/c.img'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'disk-clone','from':'/a.img'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'disk-clone'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'disk-clone','from':'a.img','to':'/c.img'}"),
			 "invalid");
}
END_TEST

START_TEST(an_image_in_use_is_not_copied)
{
	create("web", "a.img", "");
	ck_assert_str_eq(clone_code("a.img", "c.img", "copy"), "busy");
	ck_assert_int_ne(access(world_path("c.img"), F_OK), 0);
}
END_TEST

START_TEST(a_disk_that_was_plugged_in_is_known_to_the_next_lodged_or_refused)
{
	char away[300];
	const cJSON *disks;

	create("web", "a.img", "");
	attach("b.img", "xvdc");
	world_until(was_called_with("51744")); /* before that it has lodged's lock */
	world_restart();
	disks = cJSON_GetObjectItem(world_ok("{'verb':'disk-list','guest':'web'}"), "disks");
	ck_assert_int_eq(cJSON_GetArraySize(disks), 2);
	ck_assert_str_eq(code_of("db", "b.img", ""), "busy");
	make_image("c.img", 1 << 20);
	snprintf(away, sizeof(away), "%s", world_path("away"));
	ck_assert_int_eq(rename(world_path("state/state"), away), 0);
	ck_assert_str_ne(world_code("{'verb':'disk-attach','guest':'web','xml':'<disk><source "
				    "file=\\\"%s\\\"/><target dev=\\\"xvdd\\\"/></disk>'}",
				    world_path("c.img")),
			 "ok");
	ck_assert_int_eq(rename(away, world_path("state/state")), 0);
	ck_assert_str_eq(node("/local/domain/1/device/vbd/51760/state"), "");
	world_until(!strcmp(code_of("db", "c.img", ""), "ok")); /* when its process has ended */
}
END_TEST

/* The process of the one record, as it stands there; another takes its place. */
static pid_t replace_pid(pid_t pid)
{
	char command[600];
	int old = 0;
	FILE *f;

	snprintf(command, sizeof(command),
		 "cd %s && sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' *.json && "
		 "sed -i 's/\"pid\":[0-9]*/\"pid\":%d/' *.json",
		 world_path("state/state"), (int)pid);
	f = popen(command, "r");
	ck_assert_int_eq(fscanf(f, "%d", &old), 1);
	pclose(f);
	return old;
}

/* Sleeps with an image where a backend has its own. */
static pid_t start_with_image(const char *name)
{
	int image = open(world_path(name), O_RDWR);
	pid_t pid = fork();

	if (!pid) {
		dup2(image, 4);
		execlp("sleep", "sleep", "20", (char *)NULL);
		_exit(127);
	}
	close(image);
	return pid;
}

START_TEST(the_image_is_never_taken_from_another_process_that_has_got_the_number)
{
	const cJSON *disks;
	pid_t other, old;

	make_image("b.img", 2 << 20);
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	world_stop();
	usleep(50000); /* several ticks of the clock that tells processes apart */
	other = start_with_image("b.img");
	old = replace_pid(other);
	kill(old, SIGKILL);
	waitpid(old, NULL, 0);
	world_start();
	disks = cJSON_GetObjectItem(world_ok("{'verb':'disk-list','guest':'web'}"), "disks");
	ck_assert_int_eq(number_of(cJSON_GetArrayItem(disks, 0), "bytes"), 1 << 20);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

static void write_node(const char *path, const char *value)
{
	struct batch b;
	struct err err;

	batch_init(&b);
	batch_write(&b, path, "%s", value);
	ck_assert_int_eq(nodes_run(lodged.nodes, &b, false, &err), 0);
	batch_fini(&b);
}

/* With two for one disk, each would answer what the other has taken. */
START_TEST(a_backend_that_a_second_lodged_has_started_is_known_to_the_third)
{
	pid_t first, second;

	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	first = pid_of_backend();
	world_restart();
	ck_assert_int_eq(pid_of_backend(), first);
	unlink(world_path("run/called"));
	kill(first, SIGKILL);
	world_until(was_called_with("--domain"));
	second = pid_of_backend();
	ck_assert_int_ne(second, first);
	world_restart();
	ck_assert_int_eq(pid_of_backend(), second);
	world_stop(); /* it dies while there is no lodged */
	unlink(world_path("run/called"));
	kill(second, SIGKILL);
	waitpid(second, NULL, 0);
	world_start();
	world_until(was_called_with("--domain"));
	first = pid_of_backend();
	ck_assert_int_ne(first, second);
	world_restart();
	ck_assert_int_eq(pid_of_backend(), first);
}
END_TEST

static const char *state_of(const char *name)
{
	const struct guest *g = guest_by_name(&lodged, name);

	return g ? guest_state_name(g) : "";
}

START_TEST(rename_restart_waits_until_the_disks_are_free)
{
	char more[1200];

	write_file("run/lodge-block",
		   "#!/bin/sh\ntrap 'exit 0' TERM\necho \"$@\" >\"${0%/*}/called\"\n"
		   "sleep 1 >/dev/null 2>&1 &\nwait\n",
		   0700);
	snprintf(more, sizeof(more), "<on_crash>rename-restart</on_crash>%s",
		 disk_xml("a.img", "xvda", ""));
	world_ok("{'verb':'create','xml':'%s'}", world_xml("web", more));
	world_until(was_called_with("--domain"));
	fake_shut_down(1, SHUTDOWN_crash);
	guests_look(&lodged);
	world_until(!strcmp(state_of("web"), "dying"));
	world_until(!strcmp(state_of("web"), "running"));
	ck_assert_str_eq(state_of("web-1"), "crashed");
	ck_assert_uint_eq(guest_by_name(&lodged, "web")->domain, 2); /* at the first attempt */
}
END_TEST

START_TEST(a_backend_that_takes_its_time_may_outlive_its_guest)
{
	char more[1200];
	pid_t pid;

	write_file("run/lodge-block",
		   "#!/bin/sh\ntrap '' TERM\necho \"$@\" >\"${0%/*}/called\"\n"
		   "while :; do sleep 0.1; done >/dev/null 2>&1\n",
		   0700);
	snprintf(more, sizeof(more), "<on_crash>rename-restart</on_crash>%s",
		 disk_xml("a.img", "xvda", ""));
	world_ok("{'verb':'create','xml':'%s'}", world_xml("web", more));
	world_until(was_called_with("--domain"));
	pid = pid_of_backend();
	fake_shut_down(1, SHUTDOWN_crash);
	guests_look(&lodged);
	world_ok("{'verb':'destroy','guest':'web-1'}");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert(list_is_empty(&lodged.guests));
	write_node(BACK "/status", "no-space");
	world_until(kill(pid, 0));
}
END_TEST

START_TEST(a_disk_without_room_is_not_told_to_have_it_again_because_the_store_is_gone)
{
	const struct device *d;

	create("web", "a.img", "");
	d = device_find(guest_by_name(&lodged, "web"), &disk_class, "xvda");
	write_node(BACK "/status", "no-space");
	world_until(*d->error);
	write_node(BACK "/status", "no-space"); /* an event that comes together with the end */
	world_kill_store();
	world_until(!nodes_is_up(lodged.nodes));
	ck_assert(strstr(d->error, "no space"));
	world_start_store(); /* which knows nothing of it */
	world_until(!*d->error);
}
END_TEST

static struct device *the_disk(void)
{
	return device_find(guest_by_name(&lodged, "web"), &disk_class, "xvda");
}

static const char *error_of_the_disk(void)
{
	const cJSON *disks =
		cJSON_GetObjectItem(world_ok("{'verb':'disk-list','guest':'web'}"), "disks");

	return text_of(cJSON_GetArrayItem(disks, 0), "error");
}

START_TEST(that_a_backend_has_ended_is_told_until_the_next_one_runs_steadily)
{
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	kill(pid_of_backend(), SIGKILL);
	world_until(!strcmp(error_of_the_disk(), "its backend ended: killed by signal 9"));
	world_until(!*error_of_the_disk());
}
END_TEST

static int detached;

static void note_detached(void *argument, int ret, const struct err *err)
{
	(void)argument;
	(void)err;
	detached = ret;
}

static void detach_within(unsigned int ms)
{
	detached = 1;
	device_detach(the_disk(), ms, note_detached, NULL);
}

START_TEST(a_disk_whose_frontend_may_be_about_to_connect_is_not_taken_away)
{
	create("web", "a.img", "");
	write_node(BACK "/state", "2");
	world_until(the_disk()->backend_state == 2);
	detach_within(60000);
	for (int i = 0; i < 10; i++)
		world_turn();
	ck_assert_str_eq(node(BACK "/online"), "1");
	write_node(BACK "/state", "4");
	world_until(!strcmp(node(BACK "/online"), "0"));
	write_node(BACK "/state", "6");
	world_until(!detached);
	ck_assert_ptr_null(the_disk());
}
END_TEST

START_TEST(a_disk_whose_backend_never_gets_ready_can_be_detached)
{
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	detach_within(60000);
	world_until(!detached);
	ck_assert_ptr_null(the_disk());
	create("db", "a.img", "");
}
END_TEST

START_TEST(a_guest_that_lets_go_too_late_loses_its_disk_all_the_same)
{
	create("web", "a.img", "");
	write_node(BACK "/state", "4");
	world_until(the_disk()->backend_state == 4);
	detach_within(50);
	world_until(detached == -ETIMEDOUT);
	ck_assert_ptr_nonnull(the_disk());
	detach_within(60000);
	ck_assert_int_eq(detached, 1);
	detach_within(60000); /* a second one at the same time */
	ck_assert_int_eq(detached, -EBUSY);
	write_node(BACK "/state", "6");
	world_until(!detached);
	ck_assert_ptr_null(the_disk());
}
END_TEST

START_TEST(a_disk_that_is_to_go_is_gone_on_with_by_the_next_lodged)
{
	create("web", "a.img", "");
	world_until(was_called_with("--domain"));
	write_node(BACK "/state", "4");
	world_until(the_disk()->backend_state == 4);
	detach_within(50);
	world_until(detached == -ETIMEDOUT);
	world_restart();
	write_node(BACK "/state", "6");
	world_until(!the_disk());
	create("db", "a.img", "");
}
END_TEST

START_TEST(what_runs_is_described_with_the_disks_that_it_has_by_now)
{
	char both[1024];

	snprintf(both, sizeof(both),
		 "<devices><disk><source file=\\\"%s\\\"/><target dev=\\\"xvda\\\"/></disk>",
		 world_path("a.img"));
	snprintf(both + strlen(both), sizeof(both) - strlen(both),
		 "<disk><source file=\\\"%s\\\"/><target dev=\\\"xvdb\\\"/></disk></devices>",
		 world_path("b.img"));
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", disk_xml("a.img", "xvda", "")));
	world_ok("{'verb':'start','guest':'web'}");
	world_ok("{'verb':'apply','xml':'%s'}", world_xml("web", both));
	ck_assert_ptr_nonnull(
		strstr(text_of(world_ok("{'verb':'dumpxml','guest':'web'}"), "xml"), "xvdb"));
	ck_assert_int_eq(
		cJSON_GetArraySize(cJSON_GetObjectItem(
			world_ok("{'verb':'plan','xml':'%s'}", world_xml("web", both)), "changes")),
		0);
}
END_TEST

static void ignore(void *argument, int ret, const struct err *err)
{
	(void)argument;
	(void)ret;
	(void)err;
}

START_TEST(apply_says_so_when_a_device_cannot_be_detached)
{
	create("web", "a.img", "");
	device_detach(device_find(guest_by_name(&lodged, "web"), &disk_class, "xvda"), 60000,
		      ignore, NULL);
	ck_assert_str_eq(world_code("{'verb':'apply','xml':'%s'}", world_xml("web", "")), "busy");
}
END_TEST

UNIT_MAIN("daemon disk", setup, world_teardown, a_disk_has_its_nodes_its_process_and_its_journal,
	  each_guest_s_processes_have_a_user_of_their_own,
	  a_guest_without_a_kernel_starts_by_grub_which_has_to_be_there,
	  a_guest_that_grub_starts_is_let_run_when_its_disks_are_ready,
	  a_guest_that_waits_for_its_disks_can_be_destroyed,
	  a_loader_of_the_guests_own_starts_in_place_of_grub,
	  a_seed_for_cloud_init_is_one_more_disk, a_seed_is_still_there_when_lodged_starts_anew,
	  a_seed_that_cloud_init_would_not_understand_is_refused,
	  what_would_make_lodged_wait_is_refused, a_seed_of_bytes_that_are_no_text_is_refused,
	  network_sources_have_the_names_that_qemu_knows, an_image_that_is_missing_is_refused,
	  an_image_of_another_format_than_said_is_refused, an_image_that_is_no_file_is_refused,
	  an_image_in_use_is_refused_until_the_other_guest_has_ended,
	  an_image_is_free_when_destroy_is_answered,
	  images_are_shared_by_those_that_only_read_or_may_share,
	  one_guest_cannot_have_an_image_twice, disks_come_go_and_are_listed_while_a_guest_runs,
	  a_guest_that_reboots_keeps_the_disks_that_it_has,
	  a_new_lodged_has_the_image_and_its_lock_from_the_process_that_serves_it,
	  a_disk_grows_and_its_process_is_told,
	  a_qcow2_disk_grows_by_another_process_that_says_how_it_went,
	  a_guest_may_end_while_its_disk_grows, what_is_below_a_disk_is_written_by_nobody,
	  an_image_that_is_missing_below_another_is_refused,
	  an_image_that_is_below_itself_is_refused, images_are_copied_to_files_that_are_not_there,
	  a_guest_does_not_decide_what_is_below_an_overlay, a_clone_needs_both_names,
	  an_image_in_use_is_not_copied,
	  a_disk_that_was_plugged_in_is_known_to_the_next_lodged_or_refused,
	  the_image_is_never_taken_from_another_process_that_has_got_the_number,
	  a_backend_that_a_second_lodged_has_started_is_known_to_the_third,
	  rename_restart_waits_until_the_disks_are_free,
	  a_backend_that_takes_its_time_may_outlive_its_guest,
	  a_disk_without_room_is_not_told_to_have_it_again_because_the_store_is_gone,
	  what_runs_is_described_with_the_disks_that_it_has_by_now,
	  that_a_backend_has_ended_is_told_until_the_next_one_runs_steadily,
	  a_disk_whose_frontend_may_be_about_to_connect_is_not_taken_away,
	  a_disk_whose_backend_never_gets_ready_can_be_detached,
	  a_guest_that_lets_go_too_late_loses_its_disk_all_the_same,
	  a_disk_that_is_to_go_is_gone_on_with_by_the_next_lodged,
	  apply_says_so_when_a_device_cannot_be_detached)
