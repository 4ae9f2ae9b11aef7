/* See record.h. */
#include "daemon/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "config/report.h"
#include "daemon/adopt.h"
#include "daemon/device.h"
#include "daemon/guest.h"
#include "lib/cleanup.h"

#define FILE_MAX (2 << 20)

/* --- files --- */

static int write_all(int fd, const char *bytes, size_t nr_bytes)
{
	while (nr_bytes) {
		ssize_t done = write(fd, bytes, nr_bytes);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes += done;
		nr_bytes -= (size_t)done;
	}
	return 0;
}

/* The rename itself is durable when its folder is. */
static int sync_folder_of(const char *path)
{
	char folder[512];
	const char *end = strrchr(path, '/');
	cleanup_close int fd = -1;

	if (!end || (size_t)(end - path) >= sizeof(folder))
		return -EINVAL;
	memcpy(folder, path, (size_t)(end - path));
	folder[end - path] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? -errno : 0;
}

int file_replace(const char *path, const char *bytes, size_t nr_bytes, bool is_durable,
		 struct err *err)
{
	char beside[512];
	int fd, ret;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
		return err_errno(err, -ENAMETOOLONG, "%s", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, -errno, "%s", beside);
	ret = write_all(fd, bytes, nr_bytes);
	if (!ret && is_durable && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(beside, path))
		ret = -errno;
	if (!ret && is_durable)
		ret = sync_folder_of(path);
	if (ret) {
		unlink(beside);
		return err_errno(err, ret, "%s", path);
	}
	return 0;
}

/* A small file, to be freed. */
static char *file_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t max = 0;
	ssize_t bytes;

	if (!f)
		return NULL;
	bytes = getdelim(&text, &max, '\0', f);
	fclose(f);
	if (bytes > 0 && bytes <= FILE_MAX)
		return text;
	free(text);
	return NULL;
}

static int make_folder(const char *folder, const char *name, mode_t mode, struct err *err)
{
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name) >=
	    sizeof(path))
		return err_errno(err, -ENAMETOOLONG, "%s", folder);
	return mkdir(path, mode) && errno != EEXIST ? err_errno(err, -errno, "%s", path) : 0;
}

int records_prepare(const struct lodged *l, struct err *err)
{
	static const char *const names[] = { "", "domains", "state", "dump" };
	int ret = make_folder(l->options.run_dir, "", 0755, err);

	if (!ret)
		ret = make_folder(l->options.log_dir, "", 0750, err);
	for (size_t i = 0; !ret && i < ARRAY_SIZE(names); i++)
		ret = make_folder(l->options.state_dir, names[i], 0700, err);
	return ret;
}

static void path_of(const struct guest *g, const char *folder, const char *suffix,
		    char ret_path[512])
{
	char uuid[37];

	guest_uuid_text(g->uuid, uuid);
	snprintf(ret_path, 512, "%s/%s/%s.%s", g->lodged->options.state_dir, folder, uuid, suffix);
}

/* --- definitions --- */

int record_write_definition(const struct guest *g, struct err *err)
{
	char path[512], *text = domain_write(g->defined->d);
	int ret;

	if (!text)
		return err_set(err, -ENOMEM, "no memory");
	path_of(g, "domains", "xml", path);
	ret = file_replace(path, text, strlen(text), true, err);
	free(text);
	return ret;
}

int record_remove_definition(const struct guest *g, struct err *err)
{
	char path[512];
	int ret;

	path_of(g, "domains", "xml", path);
	if (unlink(path) && errno != ENOENT)
		return err_errno(err, -errno, "%s", path);
	ret = sync_folder_of(path);
	return ret ? err_errno(err, ret, "%s", path) : 0;
}

/* --- records --- */

static void add_domain(cJSON *object, const struct guest *g)
{
	char uuid[37], *text;

	guest_uuid_text(g->domain_uuid, uuid);
	cJSON_AddNumberToObject(object, "domain", g->domain);
	cJSON_AddStringToObject(object, "domain_uuid", uuid);
	cJSON_AddStringToObject(object, "boot", g->lodged->boot_id);
	cJSON_AddNumberToObject(object, "started", (double)g->started);
	cJSON_AddNumberToObject(object, "log_file", (double)g->log_file);
	cJSON_AddNumberToObject(object, "log_bytes", (double)g->log_bytes);
	cJSON_AddBoolToObject(object, "paused", g->is_paused);
	cJSON_AddBoolToObject(object, "ended", g->state == GUEST_ENDED);
	cJSON_AddBoolToObject(object, "crashed", g->has_crashed);
	if (g->requested)
		cJSON_AddStringToObject(object, "requested", g->requested);
	devices_save(g, object);
	text = g->active != g->defined ? config_text(g->active) : NULL;
	if (text)
		cJSON_AddStringToObject(object, "xml", text);
	free(text);
}

/* A transient guest that waits for its next start has no domain, but what to make one from. */
static void add_restart(cJSON *object, const struct guest *g)
{
	char *text = NULL;

	cJSON_AddBoolToObject(object, "restarting", true);
	cJSON_AddNumberToObject(object, "short_runs", g->restarts.nr_short);
	if (g->active && g->active != g->defined && !cJSON_HasObjectItem(object, "xml"))
		text = config_text(g->active);
	if (text)
		cJSON_AddStringToObject(object, "xml", text);
	free(text);
}

int record_save(const struct guest *g, struct err *err)
{
	cJSON *object = cJSON_CreateObject();
	char path[512], uuid[37], *text;
	int ret;

	guest_uuid_text(g->uuid, uuid);
	cJSON_AddStringToObject(object, "uuid", uuid);
	cJSON_AddStringToObject(object, "name", g->name);
	if (g->domain != NO_DOMAIN)
		add_domain(object, g);
	if (g->is_restarting)
		add_restart(object, g);
	if (g->why)
		cJSON_AddItemReferenceToObject(object, "why", g->why);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	if (!text)
		return err_set(err, -ENOMEM, "no memory");
	path_of(g, "state", "json", path);
	ret = file_replace(path, text, strlen(text), false, err);
	cJSON_free(text);
	return ret;
}

void record_remove(const struct guest *g)
{
	char path[512];

	path_of(g, "state", "json", path);
	if (unlink(path) && errno != ENOENT)
		log_line("%s: %s", path, strerror(errno));
}

/* --- reading --- */

static struct config *read_config(const struct lodged *l, const char *file, const char *text)
{
	struct domain_description *d = NULL;
	struct config *c = NULL;
	struct report report;
	char *findings;

	report_init(&report, file);
	if (!domain_parse(text, strlen(text), l->host, &d, &report)) {
		c = config_create(d, NULL);
	} else {
		findings = report_text(&report);
		log_line("not understood, and left alone:\n%s", findings ? findings : file);
		free(findings);
	}
	report_fini(&report);
	return c;
}

static void load_definition(struct lodged *l, const char *path)
{
	char *text = file_read(path);
	struct config *c = text ? read_config(l, path, text) : NULL;
	struct guest *g;
	struct err err;

	free(text);
	if (!c)
		return;
	if (guest_create(l, c->d->name, c->d->uuid, &g, &err))
		log_line("%s: left alone: %s", path, err.text);
	else
		g->defined = config_get(c);
	config_put(c);
}

static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static bool is_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static uint32_t number_of(const cJSON *object, const char *name, uint32_t missing)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < UINT32_MAX
		       ? (uint32_t)item->valuedouble
		       : missing;
}

static uint64_t whole_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 0x1p63
		       ? (uint64_t)item->valuedouble
		       : 0;
}

/* The guest that a record is of; one without a definition is made. */
static struct guest *guest_of_record(struct lodged *l, const cJSON *object, struct err *err)
{
	const char *name = text_of(object, "name"), *uuid_text = text_of(object, "uuid");
	struct guest *g;
	uuid_t uuid;

	err_set(err, 0, "it names no guest");
	if (!name || !uuid_text || uuid_parse(uuid_text, uuid))
		return NULL;
	g = guest_by_uuid(l, uuid);
	if (!g && guest_create(l, name, uuid, &g, err))
		return NULL;
	return g;
}

/* What the record says of a domain; whether that is still there, adopt.c finds out. */
static void load_domain(struct guest *g, const cJSON *object)
{
	const char *boot = text_of(object, "boot"), *uuid = text_of(object, "domain_uuid");
	const char *requested = text_of(object, "requested");

	if (!boot || strcmp(boot, g->lodged->boot_id) != 0 || !uuid ||
	    uuid_parse(uuid, g->domain_uuid) || !g->active)
		return;
	guest_set_domain(g, number_of(object, "domain", NO_DOMAIN));
	g->started = number_of(object, "started", 0);
	g->log_file = whole_of(object, "log_file");
	g->log_bytes = whole_of(object, "log_bytes");
	g->started_ns = loop_now_ns();
	g->is_paused = is_true(object, "paused");
	g->has_crashed = is_true(object, "crashed");
	g->state = is_true(object, "ended") ? GUEST_ENDED : GUEST_RUNNING;
	if (requested)
		g->requested = !strcmp(requested, "reboot") ? "reboot" : "poweroff";
}

static void load_object(struct lodged *l, const char *path, const cJSON *object)
{
	const char *xml = text_of(object, "xml");
	const cJSON *why = cJSON_GetObjectItemCaseSensitive(object, "why");
	struct err err;
	struct guest *g = guest_of_record(l, object, &err);

	if (!g) {
		log_line("%s: left alone: %s", path, err.text);
		return;
	}
	if (cJSON_IsObject(why))
		g->why = cJSON_Duplicate(why, true);
	if (xml)
		g->active = read_config(l, path, xml);
	else
		g->active = config_get(g->defined);
	if (g->active)
		memcpy(g->active->d->uuid, g->uuid, sizeof(g->uuid));
	g->restarts.nr_short = number_of(object, "short_runs", 0);
	g->is_restarting = is_true(object, "restarting");
	load_domain(g, object);
	adopt_guest(g, object, cJSON_HasObjectItem(object, "domain"));
}

static void load_record(struct lodged *l, const char *path)
{
	char *text = file_read(path);
	cJSON *object = text ? cJSON_Parse(text) : NULL;

	if (!cJSON_IsObject(object))
		log_line("%s: not understood, and left alone", path);
	else
		load_object(l, path, object);
	cJSON_Delete(object);
	free(text);
}

static int load_folder(struct lodged *l, const char *name, const char *suffix,
		       void (*load)(struct lodged *l, const char *path), struct err *err)
{
	char folder[512], path[1024];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/%s", l->options.state_dir, name);
	dir = opendir(folder);
	if (!dir)
		return err_errno(err, -errno, "%s", folder);
	while ((entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');

		if (!end || strcmp(end, suffix) != 0 || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		load(l, path);
	}
	closedir(dir);
	return 0;
}

int records_load(struct lodged *l, struct err *err)
{
	int ret = load_folder(l, "domains", ".xml", load_definition, err);

	return ret ? ret : load_folder(l, "state", ".json", load_record, err);
}
