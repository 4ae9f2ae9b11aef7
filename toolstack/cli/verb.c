#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"
#include "lib/cleanup.h"
#include "lib/suggest.h"

const struct option_row option_rows[OPT_NR] = {
	[OPT_HOST] = { "host", 'H', "HOST", "on another host: ssh://[user@]host[:port]" },
	[OPT_SOCKET] = { "socket", 0, "PATH", "lodged's socket" },
	[OPT_JSON] = { "json", 0, NULL, "print JSON, for programs" },
	[OPT_QUIET] = { "quiet", 'q', NULL, "print results and errors only" },
	[OPT_HELP] = { "help", 'h', NULL, "explain the verb" },
	[OPT_VERSION] = { "version", 'V', NULL, "print the version of lodge" },
	[OPT_ALL] = { "all", 'a', NULL, "all guests" },
	[OPT_BRIDGE] = { "bridge", 0, "NAME", "make an interface on this bridge" },
	[OPT_CAP] = { "cap", 'c', "PERCENT", "most that it may use; 100 is one CPU, 0 no limit" },
	[OPT_CLEAR] = { "clear", 'c', NULL, "forget the messages afterwards" },
	[OPT_CONFIG] = { "config", 0, NULL, "change the definition, for the next start" },
	[OPT_CONSOLE] = { "console", 'c', NULL, "then attach to the console" },
	[OPT_DISABLE] = { "disable", 0, NULL, "the same as off" },
	[OPT_ESCAPE] = { "escape", 'e', "KEY", "the key that leaves; default ^]" },
	[OPT_FOLLOW] = { "follow", 'f', NULL, "go on with what comes" },
	[OPT_FOR] = { "for", 0, "running|stopped|address|console:TEXT", "default: stopped" },
	[OPT_FORCE] = { "force", 'f', NULL, "take the keyboard from who has it" },
	[OPT_FORMAT] = { "format", 0, "raw|qcow2", "what the source is; default raw" },
	[OPT_HOW] = { "how", 0, "reflink|overlay|copy", "default: what is quickest" },
	[OPT_INACTIVE] = { "inactive", 0, NULL, "as it will be at its next start" },
	[OPT_LINES] = { "lines", 'n', "LINES", "how many of the last lines to print" },
	[OPT_LIVE] = { "live", 0, NULL, "change what runs; both options: both" },
	[OPT_MAC] = { "mac", 0, "ADDRESS",
		      "the interface's address; default: made from the guest's" },
	[OPT_MODE] = { "mode", 0, "poweroff|reboot|suspend", "default: poweroff" },
	[OPT_NAMES] = { "names", 0, NULL, "only names, one a line" },
	[OPT_NO_HEADER] = { "no-header", 0, NULL, "no line of titles" },
	[OPT_PAUSED] = { "paused", 'p', NULL, "do not let it run yet" },
	[OPT_QUIET_FOR] = { "wait", 'w', "TIME",
			    "at the end of input, leave after such a silence; 1s" },
	[OPT_READ_ONLY] = { "read-only", 'r', NULL, "write nothing" },
	[OPT_SOURCE] = { "source", 0, "PATH", "make a disk of this file or device" },
	[OPT_TABLE] = { "table", 0, NULL, "all verbs for programs, by tabs" },
	[OPT_TARGET] = { "target", 0, "NAME", "what the guest sees it as: xvdb" },
	[OPT_TIMEOUT] = { "timeout", 't', "TIME", "give up after 90, 90s, 5min, 2h" },
	[OPT_WAIT] = { "wait", 'w', NULL, "until it is done; 5min unless --timeout says else" },
	[OPT_WEIGHT] = { "weight", 'w', "NUMBER", "share of CPU time, 1 to 65535; 256 is normal" },
};

#define O(option) BIT64(OPT_##option)
#define SCOPE \
	"Without --live and --config, what runs changes, or the definition of one that is off."

const struct verb verbs[] = {
	{ "create", "FILE...", O(PAUSED) | O(CONSOLE),
	  "make and start guests that are forgotten once they stop", run_create,
	  "FILE is XML as libvirt writes it; - is standard input.", "guests" },
	{ "define", "FILE...", 0, "keep guests' XML, or replace it", run_define,
	  "FILE is XML as libvirt writes it; - is standard input. What runs is not changed: see lodge apply.",
	  NULL },
	{ "undefine", "GUEST...", 0, "forget guests; who runs goes on until it stops", run_undefine,
	  NULL, NULL },
	{ "start", "GUEST...", O(PAUSED) | O(CONSOLE), "start defined guests", run_start, NULL,
	  NULL },
	{ "shutdown", "[GUEST...]", O(ALL) | O(MODE) | O(WAIT) | O(TIMEOUT),
	  "ask guests to shut down", run_shutdown,
	  "A guest may take its time, or not listen; --wait tells. See lodge destroy.", NULL },
	{ "reboot", "[GUEST...]", O(ALL) | O(WAIT) | O(TIMEOUT), "ask guests to reboot", run_reboot,
	  NULL, NULL },
	{ "destroy", "GUEST...", 0, "stop guests at once, as if their power failed", run_destroy,
	  NULL, NULL },
	{ "pause", "GUEST...", 0, "let guests stand still, in memory", run_pause, NULL, NULL },
	{ "resume", "GUEST...", 0, "let paused guests go on", run_resume, NULL, NULL },
	{ "rename", "GUEST NAME", 0, "give a guest another name", run_rename, NULL, NULL },
	{ "autostart", "GUEST [on|off]", O(DISABLE), "start a guest with the host, or not",
	  run_autostart, NULL, NULL },

	{ "list", "[GUEST...]", O(ALL) | O(NAMES) | O(NO_HEADER), "list guests that run", run_list,
	  "With --all also those that do not.", "looking" },
	{ "info", "GUEST...", 0, "tell all about guests", run_info, NULL, NULL },
	{ "why", "GUEST...", 0, "tell why guests stopped last", run_why, NULL, NULL },
	{ "console", "GUEST", O(READ_ONLY) | O(FORCE) | O(LINES) | O(ESCAPE) | O(QUIET_FOR),
	  "use a guest's console; Ctrl-] leaves", run_console,
	  "Several may look at a console; the first may type. Input may come from a pipe.", NULL },
	{ "log", "GUEST", O(LINES) | O(FOLLOW), "print what a guest's console said", run_log, NULL,
	  NULL },
	{ "wait", "GUEST", O(FOR) | O(TIMEOUT), "wait until a guest has come so far", run_wait,
	  "console:TEXT waits for a line of its console that has TEXT in it.", NULL },
	{ "events", "[GUEST...]", 0, "tell what happens to guests, until interrupted", run_events,
	  NULL, NULL },

	{ "dumpxml", "GUEST", O(INACTIVE), "print a guest's XML", run_dumpxml, NULL, "xml" },
	{ "edit", "GUEST", 0, "change a guest's XML in $VISUAL or $EDITOR", run_edit,
	  "What runs is not changed: see lodge apply.", NULL },
	{ "validate", "FILE...", 0, "find the mistakes in XML", run_validate, NULL, NULL },
	{ "plan", "FILE", 0, "tell what lodge apply would change", run_plan, NULL, NULL },
	{ "apply", "FILE", 0,
	  "make a guest as its XML says, as far as that is possible while it runs", run_apply, NULL,
	  NULL },

	{ "set-memory", "GUEST SIZE", O(LIVE) | O(CONFIG), "change a guest's memory",
	  run_set_memory, "SIZE has a unit: 512M, 2GiB. " SCOPE, "resources" },
	{ "set-vcpus", "GUEST COUNT", O(LIVE) | O(CONFIG),
	  "change how many virtual CPUs a guest uses", run_set_vcpus, SCOPE, NULL },
	{ "vcpu-list", "GUEST...", O(NO_HEADER), "list virtual CPUs", run_vcpu_list, NULL, NULL },
	{ "pin", "GUEST VCPU CPUS", O(LIVE) | O(CONFIG), "bind a virtual CPU to CPUs", run_pin,
	  "VCPU is a number, or all. CPUS is a list such as 0-3,^2, or all. " SCOPE, NULL },
	{ "sched", "GUEST", O(WEIGHT) | O(CAP) | O(LIVE) | O(CONFIG),
	  "show or set a guest's share of CPU time", run_sched, SCOPE, NULL },

	{ "disk-attach", "GUEST [FILE]", O(SOURCE) | O(TARGET) | O(FORMAT) | O(READ_ONLY),
	  "plug in a disk", run_disk_attach,
	  "The disk is described by a <disk> element in FILE, or by --source and --target.",
	  "devices" },
	{ "disk-detach", "GUEST TARGET", 0, "unplug a disk", run_disk_detach, NULL, NULL },
	{ "disk-list", "GUEST", O(NO_HEADER), "list a guest's disks", run_disk_list, NULL, NULL },
	{ "disk-clone", "PATH PATH", O(HOW), "copy a disk image, to a new file", run_disk_clone,
	  "reflink shares blocks until they change (Btrfs, XFS); overlay makes a qcow2 file upon the first.",
	  NULL },
	{ "disk-resize", "GUEST TARGET SIZE", 0, "make a disk larger", run_disk_resize,
	  "SIZE has a unit: 20G. Raw and qcow2 disks grow while the guest runs.", NULL },
	{ "nic-attach", "GUEST [FILE]", O(BRIDGE) | O(MAC), "plug in a network interface",
	  run_nic_attach,
	  "The interface is described by an <interface> element in FILE, or by --bridge and --mac.",
	  NULL },
	{ "nic-detach", "GUEST DEVICE", 0, "unplug a network interface", run_nic_detach,
	  "DEVICE is its MAC address or its name in the service VM.", NULL },
	{ "nic-link", "GUEST DEVICE up|down", 0, "connect a network interface, or not",
	  run_nic_link, NULL, NULL },
	{ "nic-list", "GUEST", O(NO_HEADER), "list a guest's network interfaces", run_nic_list,
	  NULL, NULL },

	{ "host", "", 0, "tell about this machine", run_host, NULL, "host" },
	{ "host-stop", "", O(TIMEOUT), "shut all guests down, as when the machine is switched off",
	  run_host_stop,
	  "Those that take longer are destroyed. No guest starts until lodged is started anew.",
	  NULL },
	{ "doctor", "", 0, "check this machine, and say what to do", run_doctor, NULL, NULL },
	{ "dmesg", "", O(FOLLOW) | O(CLEAR), "print the hypervisor's messages", run_dmesg, NULL,
	  NULL },
	{ "sysrq", "GUEST KEY", 0, "send a magic key to a guest's Linux", run_sysrq, NULL, NULL },
	{ "dump-core", "GUEST [PATH]", 0, "write a guest's memory to a file", run_dump_core, NULL,
	  NULL },
	{ "version", "", 0, "print versions", run_version, NULL, NULL },
	{ "help", "[VERB]", O(TABLE), "explain a verb, or list all", run_help, NULL, NULL },
	{ "proxy", "[SOCKET]", 0, "carry a socket over standard input and output, for lodge -H",
	  run_proxy, NULL, NULL },
};

const size_t nr_verbs = ARRAY_SIZE(verbs);

/* What users of xl and virsh type. */
static const struct {
	const char *name, *means;
} aliases[] = {
	{ "attach-console", "console" },
	{ "block-attach", "disk-attach" },
	{ "block-detach", "disk-detach" },
	{ "block-list", "disk-list" },
	{ "domblklist", "disk-list" },
	{ "domif-setlink", "nic-link" },
	{ "domiflist", "nic-list" },
	{ "dominfo", "info" },
	{ "domrename", "rename" },
	{ "dump", "dump-core" },
	{ "event", "events" },
	{ "ls", "list" },
	{ "mem-set", "set-memory" },
	{ "network-attach", "nic-attach" },
	{ "network-detach", "nic-detach" },
	{ "network-list", "nic-list" },
	{ "nodeinfo", "host" },
	{ "setmem", "set-memory" },
	{ "setvcpus", "set-vcpus" },
	{ "suspend", "pause" },
	{ "unpause", "resume" },
	{ "vcpu-pin", "pin" },
	{ "vcpu-set", "set-vcpus" },
	{ "vcpuinfo", "vcpu-list" },
	{ "vcpupin", "pin" },
};

static const struct verb *verb_named(const char *name)
{
	for (size_t i = 0; i < nr_verbs; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

const struct verb *verb_find(const char *name, const char **ret_near)
{
	const struct verb *v = verb_named(name);
	struct suggestion near;

	for (size_t i = 0; !v && i < ARRAY_SIZE(aliases); i++) {
		if (!strcmp(aliases[i].name, name))
			v = verb_named(aliases[i].means);
	}
	if (v)
		return v;
	suggestion_init(&near, name);
	for (size_t i = 0; i < nr_verbs; i++)
		suggestion_offer(&near, verbs[i].name);
	*ret_near = near.best;
	return NULL;
}

void verb_count_args(const struct verb *v, size_t *ret_min, size_t *ret_max)
{
	size_t min = 0, max = 0;

	for (const char *p = v->args; *p; p += strspn(p, " ")) {
		size_t length = strcspn(p, " ");

		min += *p != '[';
		max++;
		if (memmem(p, length, "...", 3))
			max = SIZE_MAX;
		p += length;
	}
	*ret_min = min;
	*ret_max = max;
}

char *verb_synopsis(const struct verb *v)
{
	char *text = NULL;
	size_t length;
	FILE *to = say_memory(open_memstream(&text, &length));

	fputs(v->name, to);
	for (size_t i = 0; i < OPT_NR; i++) {
		const struct option_row *o = &option_rows[i];

		if (!(v->options & BIT64(i)))
			continue;
		fputs(" [", to);
		if (o->letter)
			fprintf(to, "-%c|", o->letter);
		fprintf(to, "--%s%s%s]", o->name, o->value ? " " : "", o->value ? o->value : "");
	}
	if (*v->args)
		fprintf(to, " %s", v->args);
	if (fclose(to))
		text = NULL;
	return say_memory(text);
}
