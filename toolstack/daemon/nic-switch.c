/* See nic-switch.h. */
#include "daemon/nic-switch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "daemon/link.h"
#include "lib/cleanup.h"

#define OVS       "/usr/bin/ovs-vsctl"
#define NFT       "/usr/sbin/nft"
#define WORDS_MAX 24

#define PROGRAM_MS 10000 /* nothing else is done meanwhile */

extern char **environ;

/* --- programs --- */

/* A file in memory with the text, to be read from its beginning. */
static int text_file(const char *text)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	size_t length = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) == (ssize_t)length && !lseek(fd, 0, SEEK_SET))
		return fd;
	close(fd);
	return -EIO;
}

static int start_program(const char *const *arguments, int input, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int code;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	code = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!code)
		code = posix_spawn(ret_pid, arguments[0], &actions, &attributes,
				   (char *const *)(uintptr_t)arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -code;
}

/* -ETIMEDOUT: it had to be killed. */
static int wait_for_end(pid_t pid, int timeout_ms, int *ret_status)
{
	int fd cleanup_close = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready = 1;

	if (fd >= 0) {
		do
			ready = poll(&p, 1, timeout_ms);
		while (ready < 0 && errno == EINTR);
	}
	if (!ready)
		kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return ready ? 0 : -ETIMEDOUT;
}

int run_program_within(const char *const *arguments, const char *text, int timeout_ms,
		       struct err *err)
{
	int input cleanup_close = text ? text_file(text) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int code = input < 0 ? -EIO : 0, status;
	pid_t pid = 0;

	if (!code)
		code = start_program(arguments, input, &pid);
	if (code)
		return err_errno(err, code, "%s", arguments[0]);
	code = wait_for_end(pid, timeout_ms, &status);
	if (code)
		return err_errno(err, code, "%s", arguments[0]);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return err_set(err, -EIO, "%s failed: exit status %d", arguments[0],
		       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int run_program(const char *const *arguments, const char *text, struct err *err)
{
	return run_program_within(arguments, text, PROGRAM_MS, err);
}

/* Nobody waits for an administrator's script: the shell ends at once, and leaves it running. */
static int run_script(const struct interface *nic, const char *name, const char *what,
		      struct err *err)
{
	static const char line[] = "vif=\"$2\" bridge=\"$3\" \"$0\" \"$1\" </dev/null &";
	const char *arguments[] = {
		"/bin/sh", "-c", line, nic->script, what, name, nic->bridge ? nic->bridge : "", NULL
	};

	return run_program(arguments, NULL, err);
}

/* --- bridges and Open vSwitch --- */

static bool is_switched_by_ovs(const struct interface *nic)
{
	return nic->port == PORT_OPENVSWITCH;
}

static int check_bridge(const struct interface *nic, struct err *err)
{
	const char *name = nic->bridge;

	if (!link_exists(name))
		return err_set(
			err, -ENOENT,
			"there is no bridge %s; make it with \"ip link add %s type bridge\" and "
			"\"ip link set %s up\", and add the network's card to it",
			name, name, name);
	if (!link_is_bridge(name))
		return err_set(err, -EINVAL, "%s is no bridge", name);
	if (nic->nr_vlans && !link_has_vlan_filter(name))
		return err_set(err, -EINVAL,
			       "bridge %s knows no VLANs; let it with \"ip link set %s type bridge "
			       "vlan_filtering 1\"",
			       name, name);
	return 0;
}

static int check_ovs(const struct interface *nic, struct err *err)
{
	const char *arguments[] = { OVS, "--timeout=5", "br-exists", nic->bridge, NULL };

	if (access(OVS, X_OK))
		return err_set(err, -ENOENT,
			       "Open vSwitch is not installed here (" OVS
			       "); install openvswitch-switch, or leave <virtualport> out");
	if (run_program(arguments, NULL, err))
		return err_set(
			err, -ENOENT,
			"Open vSwitch has no bridge %s; make it with \"ovs-vsctl add-br %s\"",
			nic->bridge, nic->bridge);
	return 0;
}

int nic_switch_check(const struct interface *nic, struct err *err)
{
	if (nic->script)
		return access(nic->script, X_OK) ? err_errno(err, -errno, "%s", nic->script) : 0;
	if (nic->type == INTERFACE_NETWORK)
		return err_set(err, -EOPNOTSUPP,
			       "there are no networks such as \"%s\" here; name a bridge: "
			       "<interface type=\"bridge\"><source bridge=\"xenbr0\"/>",
			       nic->network);
	if (nic->type == INTERFACE_ETHERNET)
		return nic->nr_vlans ? err_set(err, -EOPNOTSUPP, "VLANs need a bridge") : 0;
	return is_switched_by_ovs(nic) ? check_ovs(nic, err) : check_bridge(nic, err);
}

/* "tag=42" or "trunks=42,43"; empty: neither. False: it does not fit. */
static bool ovs_vlans(const struct interface *nic, char *ret_text, size_t size)
{
	size_t used = (size_t)snprintf(ret_text, size, "%s",
				       nic->nr_vlans ? nic->vlan_trunk ? "trunks=" : "tag=" : "");

	for (size_t i = 0; i < nic->nr_vlans && used < size; i++)
		used += (size_t)snprintf(ret_text + used, size - used, "%s%" PRIu32, i ? "," : "",
					 nic->vlans[i].id);
	return used < size;
}

static int join_ovs(const struct interface *nic, const char *name, struct err *err)
{
	static const uint8_t no_id[16];
	char vlans[20480], mac[64], id[64] = "", uuid[37];
	const char *arguments[WORDS_MAX] = { OVS,        "--timeout=5", "--may-exist",
					     "add-port", nic->bridge,   name };
	size_t nr = 6;

	if (!ovs_vlans(nic, vlans, sizeof(vlans)))
		return err_set(err, -E2BIG, "%s: too many VLANs", name);
	if (*vlans)
		arguments[nr++] = vlans;
	snprintf(mac, sizeof(mac), "external_ids:attached-mac=\"%02x:%02x:%02x:%02x:%02x:%02x\"",
		 nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	arguments[nr++] = "--";
	arguments[nr++] = "set";
	arguments[nr++] = "Interface";
	arguments[nr++] = name;
	arguments[nr++] = mac;
	if (memcmp(nic->port_interface_id, no_id, sizeof(no_id)) != 0) {
		uuid_unparse_lower(nic->port_interface_id, uuid);
		snprintf(id, sizeof(id), "external_ids:iface-id=%s", uuid);
		arguments[nr++] = id;
		arguments[nr++] = "external_ids:iface-status=active";
	}
	return run_program(arguments, NULL, err);
}

static int join_bridge(const struct interface *nic, const char *name, struct err *err)
{
	int code = link_join(nic->bridge, name, err);

	if (!code && nic->nr_vlans)
		code = link_set_vlans(name, nic->vlans, nic->nr_vlans, nic->vlan_trunk, err);
	return code;
}

int nic_switch_connect(const struct interface *nic, const char *name, struct err *err)
{
	uint32_t mtu = nic->mtu;
	int code;

	if (!mtu && nic->bridge)
		mtu = link_mtu(nic->bridge);
	code = link_configure(name, mtu, err);
	if (code)
		return code;
	if (nic->script)
		return run_script(nic, name, "online", err);
	if (nic->type != INTERFACE_BRIDGE)
		return 0;
	return is_switched_by_ovs(nic) ? join_ovs(nic, name, err) : join_bridge(nic, name, err);
}

void nic_switch_disconnect(const struct interface *nic, const char *name)
{
	const char *arguments[] = { OVS, "--timeout=5", "--if-exists", "del-port", name, NULL };
	struct err err;

	if (nic->script)
		(void)!run_script(nic, name, "offline", &err);
	else if (nic->type == INTERFACE_BRIDGE && is_switched_by_ovs(nic))
		(void)!run_program(arguments, NULL, &err);
}

/* --- nftables --- */

/* "ip saddr != { 10.0.0.5, 10.0.0.6 } drop" and the like. */
static void write_addresses(FILE *f, const struct interface *nic, bool is_v6, const char *match,
			    const char *also)
{
	const char *comma = "";

	fprintf(f, "  %s != { %s", match, also);
	if (*also)
		comma = ", ";
	for (size_t i = 0; i < nic->nr_addresses; i++) {
		const char *address = nic->addresses[i].address;

		if (!strchr(address, ':') == is_v6)
			continue;
		fprintf(f, "%s%s", comma, address);
		comma = ", ";
	}
	fprintf(f, " } drop\n");
}

static char *filter_text(const struct interface *nic, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f,
		"table bridge lodge-%s\ndelete table bridge lodge-%s\ntable bridge lodge-%s {\n"
		" chain guest {\n  type filter hook prerouting priority -300\n"
		"  iifname != \"%s\" accept\n",
		name, name, name, name);
	fprintf(f, "  ether saddr != %02x:%02x:%02x:%02x:%02x:%02x drop\n", nic->mac[0],
		nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	fprintf(f, "  arp saddr ether != %02x:%02x:%02x:%02x:%02x:%02x drop\n", nic->mac[0],
		nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	if (nic->nr_addresses) {
		write_addresses(f, nic, false, "arp saddr ip", "0.0.0.0");
		fprintf(f, "  ip saddr 0.0.0.0 udp sport 68 accept\n");
		write_addresses(f, nic, false, "ip saddr", "255.255.255.255");
		write_addresses(f, nic, true, "ip6 saddr", "::, fe80::/10");
	}
	fprintf(f, " }\n}\n");
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int nic_filter_add(const struct interface *nic, const char *name, struct err *err)
{
	static const char *const arguments[] = { NFT, "-f", "-", NULL };
	char *text cleanup_free = NULL;

	if (access(NFT, X_OK))
		return err_errno(err, -errno, NFT);
	text = filter_text(nic, name);
	if (!text)
		return err_set(err, -ENOMEM, "no memory");
	return run_program(arguments, text, err);
}

void nic_filter_remove(const char *name)
{
	char table[32];
	const char *arguments[] = { NFT, "delete", "table", "bridge", table, NULL };
	struct err err;

	snprintf(table, sizeof(table), "lodge-%s", name);
	if (!access(NFT, X_OK))
		(void)!run_program(arguments, NULL, &err);
}
