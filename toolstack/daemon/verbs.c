/* The table of verbs, and what several of them need. */
#include "daemon/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "daemon/lodged.h"

const struct verb verbs[] = {
	{ "create", verb_create },
	{ "start", verb_start },
	{ "define", verb_define },
	{ "undefine", verb_undefine },
	{ "rename", verb_rename },
	{ "autostart", verb_autostart },
	{ "pause", verb_pause },
	{ "resume", verb_resume },
	{ "destroy", verb_destroy },
	{ "shutdown", verb_shutdown },
	{ "reboot", verb_reboot },
	{ "list", verb_list },
	{ "info", verb_info },
	{ "vcpu-list", verb_vcpu_list },
	{ "dumpxml", verb_dumpxml },
	{ "validate", verb_validate },
	{ "why", verb_why },
	{ "log", verb_log },
	{ "console", verb_console },
	{ "disk-attach", verb_disk_attach },
	{ "disk-detach", verb_disk_detach },
	{ "disk-list", verb_disk_list },
	{ "disk-resize", verb_disk_resize },
	{ "disk-clone", verb_disk_clone },
	{ "nic-attach", verb_nic_attach },
	{ "nic-detach", verb_nic_detach },
	{ "nic-list", verb_nic_list },
	{ "nic-link", verb_nic_link },
	{ "set-memory", verb_set_memory },
	{ "set-vcpus", verb_set_vcpus },
	{ "pin", verb_pin },
	{ "sched", verb_sched },
	{ "sysrq", verb_sysrq },
	{ "wait", verb_wait },
	{ "events", verb_events },
	{ "plan", verb_plan },
	{ "apply", verb_apply },
	{ "host", verb_host },
	{ "dmesg", verb_dmesg },
	{ "doctor", verb_doctor },
	{ "version", verb_version },
	{ "dump-core", verb_dump_core },
	{ "host-stop", verb_host_stop },
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
