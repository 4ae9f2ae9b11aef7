/* Verbs about disks and network interfaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/text.h"
#include "cli/xml.h"
#include "lib/cleanup.h"

/* Text in an attribute. */
static void put_value(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			putc(*text, to);
		}
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	put_value(to, value);
	putc('"', to);
}

/* The XML that options describe, to be freed. */
static char *disk_xml(const struct call *c)
{
	const struct args *a = &c->args;
	cleanup_free char *source = call_path(c, a->values[OPT_SOURCE]);
	bool is_device = !strncmp(source, "/dev/", 5);
	char *text = NULL;
	size_t length;
	FILE *to = say_memory(open_memstream(&text, &length));

	fprintf(to, "<disk type=\"%s\" device=\"disk\"><driver", is_device ? "block" : "file");
	put_attribute(to, "type", args_has(a, OPT_FORMAT) ? a->values[OPT_FORMAT] : "raw");
	fputs("/><source", to);
	put_attribute(to, is_device ? "dev" : "file", source);
	fputs("/><target", to);
	put_attribute(to, "dev", a->values[OPT_TARGET]);
	fprintf(to, " bus=\"xen\"/>%s</disk>\n", args_has(a, OPT_READ_ONLY) ? "<readonly/>" : "");
	if (fclose(to))
		text = NULL;
	return say_memory(text);
}

static char *interface_xml(const struct call *c)
{
	const struct args *a = &c->args;
	char *text = NULL;
	size_t length;
	FILE *to = say_memory(open_memstream(&text, &length));

	fputs("<interface type=\"bridge\"><source", to);
	put_attribute(to, "bridge", a->values[OPT_BRIDGE]);
	fputs("/>", to);
	if (args_has(a, OPT_MAC)) {
		fputs("<mac", to);
		put_attribute(to, "address", a->values[OPT_MAC]);
		fputs("/>", to);
	}
	fputs("</interface>\n", to);
	if (fclose(to))
		text = NULL;
	return say_memory(text);
}

/* Tells what was done, with the device's name as lodged chose it, or as it was given. */
static enum rpc_code act(struct call *c, cJSON *request, const char *device, const char *done)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, request, &result);
	const char *target;

	if (code)
		return code;
	target = json_text(result, "target") ? json_text(result, "target")
					     : json_text(result, "mac");
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: %s %s", c->args.words[0], target ? target : device, done);
	cJSON_Delete(result);
	return RPC_OK;
}

/* By the XML of a file, or xml. */
static enum rpc_code attach(struct call *c, char *(*describe)(const struct call *c),
			    const char *device)
{
	cleanup_free char *xml = NULL;
	cJSON *request;

	if (c->args.nr_words > 1) {
		request = xml_request(c->verb->name, c->args.words[0], c->args.words[1]);
		return request ? act(c, request, device, "attached") : RPC_INVALID;
	}
	xml = describe(c);
	request = call_request(c->verb->name, c->args.words[0]);
	call_put_text(request, "xml", xml);
	call_put_text(request, "file", "command line");
	return act(c, request, device, "attached");
}

enum rpc_code run_disk_attach(struct call *c)
{
	bool by_options = c->args.given & (BIT64(OPT_SOURCE) | BIT64(OPT_TARGET) |
					   BIT64(OPT_FORMAT) | BIT64(OPT_READ_ONLY));

	if (by_options == (c->args.nr_words > 1))
		return call_usage(c, "needs FILE, or --source and --target");
	if (by_options && !(args_has(&c->args, OPT_SOURCE) && args_has(&c->args, OPT_TARGET)))
		return call_usage(c, "needs both --source and --target");
	return attach(c, disk_xml, by_options ? c->args.values[OPT_TARGET] : "disk");
}

enum rpc_code run_nic_attach(struct call *c)
{
	bool by_options = c->args.given & (BIT64(OPT_BRIDGE) | BIT64(OPT_MAC));

	if (by_options == (c->args.nr_words > 1))
		return call_usage(c, "needs FILE, or --bridge");
	if (by_options && !args_has(&c->args, OPT_BRIDGE))
		return call_usage(c, "needs --bridge");
	return attach(c, interface_xml, "interface");
}

enum rpc_code run_disk_detach(struct call *c)
{
	cJSON *request = call_request("disk-detach", c->args.words[0]);

	call_put_text(request, "target", c->args.words[1]);
	return act(c, request, c->args.words[1], "detached");
}

/* Names in the service VM have at most two colons, MAC addresses five. */
static bool is_mac(const char *text)
{
	size_t colons = 0;

	for (; *text; text++)
		colons += *text == ':';
	return colons == 5;
}

enum rpc_code run_nic_detach(struct call *c)
{
	const char *device = c->args.words[1];
	cJSON *request = call_request("nic-detach", c->args.words[0]);

	call_put_text(request, is_mac(device) ? "mac" : "target", device);
	return act(c, request, device, "detached");
}

enum rpc_code run_nic_link(struct call *c)
{
	const char *device = c->args.words[1], *state = c->args.words[2];
	cJSON *request;

	if (strcmp(state, "up") != 0 && strcmp(state, "down") != 0)
		return call_usage(c, "\"%s\" is neither up nor down", state);
	request = call_request("nic-link", c->args.words[0]);
	call_put_text(request, is_mac(device) ? "mac" : "target", device);
	call_put_text(request, "state", state);
	return act(c, request, device, state);
}

/* The one member that is a list. */
static void show_devices(struct call *c, const cJSON *result)
{
	const cJSON *list;

	cJSON_ArrayForEach(list, result)
	{
		if (cJSON_IsArray(list) && cJSON_IsObject(list->child))
			show_objects(list, 0, !args_has(&c->args, OPT_NO_HEADER));
	}
}

enum rpc_code run_disk_list(struct call *c)
{
	return call_show(c, call_request("disk-list", c->args.words[0]), show_devices);
}

enum rpc_code run_nic_list(struct call *c)
{
	return call_show(c, call_request("nic-list", c->args.words[0]), show_devices);
}

enum rpc_code run_disk_clone(struct call *c)
{
	static const char *const ways[] = { "reflink", "overlay", "copy" };
	const char *how = c->args.values[OPT_HOW];
	cleanup_free char *from = call_path(c, c->args.words[0]);
	cleanup_free char *to = call_path(c, c->args.words[1]);
	bool is_known = !how;
	cJSON *request, *result;
	enum rpc_code code;

	for (size_t i = 0; how && i < ARRAY_SIZE(ways); i++)
		is_known |= !strcmp(how, ways[i]);
	if (!is_known)
		return call_usage(c, "--how is %s", option_rows[OPT_HOW].value);
	request = call_request("disk-clone", NULL);
	call_put_text(request, "from", from);
	call_put_text(request, "to", to);
	if (how)
		call_put_text(request, "how", how);
	code = call_ask(c, request, &result);
	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: made%s%s", to, json_text(result, "how") ? ", by " : "",
			 json_text(result, "how") ? json_text(result, "how") : "");
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_disk_resize(struct call *c)
{
	char size[TEXT_WORDS_MAX], done[2 * TEXT_WORDS_MAX];
	uint64_t bytes;
	struct err err;
	cJSON *request;

	if (text_parse_size(c->args.words[2], &bytes, &err))
		return call_usage(c, "%s", err.text);
	request = call_request("disk-resize", c->args.words[0]);
	call_put_text(request, "target", c->args.words[1]);
	call_put_number(request, "bytes", bytes);
	text_size(bytes, size);
	snprintf(done, sizeof(done), "has %s", size);
	return act(c, request, c->args.words[1], done);
}
