/* The table of verbs, and what several of them need. */
#include "daemon/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "daemon/lodged.h"

const struct verb verbs[] = {
	{ "create", verb_create, true },
	{ "start", verb_start, true },
	{ "define", verb_define, false },
	{ "undefine", verb_undefine, false },
	{ "rename", verb_rename, false },
	{ "autostart", verb_autostart, false },
	{ "pause", verb_pause, false },
	{ "resume", verb_resume, false },
	{ "destroy", verb_destroy, false },
	{ "shutdown", verb_shutdown, true },
	{ "reboot", verb_reboot, true },
	{ "list", verb_list, false },
	{ "info", verb_info, false },
	{ "vcpu-list", verb_vcpu_list, false },
	{ "dumpxml", verb_dumpxml, false },
	{ "validate", verb_validate, false },
	{ "why", verb_why, false },
	{ "log", verb_log, false },
	{ "console", verb_console, false },
	{ "disk-attach", verb_disk_attach, true },
	{ "disk-detach", verb_disk_detach, true },
	{ "disk-list", verb_disk_list, false },
	{ "disk-resize", verb_disk_resize, true },
	{ "disk-clone", verb_disk_clone, false },
	{ "nic-attach", verb_nic_attach, true },
	{ "nic-detach", verb_nic_detach, true },
	{ "nic-list", verb_nic_list, false },
	{ "nic-link", verb_nic_link, true },
	{ "set-memory", verb_set_memory, true },
	{ "set-vcpus", verb_set_vcpus, true },
	{ "pin", verb_pin, false },
	{ "sched", verb_sched, false },
	{ "sysrq", verb_sysrq, true },
	{ "wait", verb_wait, false },
	{ "events", verb_events, false },
	{ "plan", verb_plan, false },
	{ "apply", verb_apply, true },
	{ "host", verb_host, false },
	{ "dmesg", verb_dmesg, false },
	{ "doctor", verb_doctor, false },
	{ "version", verb_version, false },
	{ "dump-core", verb_dump_core, false },
	{ "host-stop", verb_host_stop, false },
};

const size_t nr_verbs = ARRAY_SIZE(verbs);

/* "file:line:col: text" */
static char *finding_text(const struct report *report, const struct finding *f)
{
	char *text;
	int length =
		f->line ? asprintf(&text, "%s:%u:%u: %s", report->file, f->line, f->column, f->text)
			: asprintf(&text, "%s: %s", report->file, f->text);

	return length < 0 ? NULL : text;
}

static void tell_mistakes(struct request *r, const struct report *report)
{
	cJSON *details = cJSON_CreateArray();
	struct err text;

	for (size_t i = 0; i < report->nr_findings; i++) {
		char *line = finding_text(report, &report->findings[i]);

		if (line && !report->findings[i].is_warning)
			cJSON_AddItemToArray(details, cJSON_CreateString(line));
		free(line);
	}
	err_set(&text, 0, "%s has %zu mistake%s", report->file, report->nr_mistakes,
		report->nr_mistakes == 1 ? "" : "s");
	request_fail_details(r, RPC_INVALID, text.text, details);
}

static void tell_warnings(struct request *r, const struct report *report)
{
	for (size_t i = 0; i < report->nr_findings; i++) {
		char *line = finding_text(report, &report->findings[i]);

		if (line && report->findings[i].is_warning)
			request_warn(r, line);
		free(line);
	}
}

struct config *request_config(struct request *r, bool keep_text)
{
	const char *text = request_need(r, "xml");

	return text ? request_config_text(r, text, keep_text) : NULL;
}

struct config *request_config_text(struct request *r, const char *text, bool keep_text)
{
	const char *file = request_text(r, "file");
	struct domain_description *d = NULL;
	struct config *c = NULL;
	struct report report;
	int ret;

	report_init(&report, file ? file : "XML");
	ret = domain_parse(text, strlen(text), r->lodged->host, &d, &report);
	if (!ret)
		c = config_create(d, keep_text ? text : NULL);
	tell_warnings(r, &report);
	if (ret == -EINVAL)
		tell_mistakes(r, &report);
	else if (!c)
		request_fail(r, RPC_NO_MEMORY, "no memory");
	report_fini(&report);
	return c;
}
