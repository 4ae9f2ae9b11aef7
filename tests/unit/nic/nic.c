/* Tap devices, bridges, VLANs and programs: toolstack/daemon/{link,nic-switch}.c. What needs a network namespace is
 * left out where the kernel does not let the test have one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/link.h"
#include "daemon/nic-switch.h"
#include "unit.h"

static struct err err;
static bool has_namespace;

static int shell(const char *command)
{
	const char *arguments[] = { "/bin/sh", "-c", command, NULL };

	return run_program(arguments, NULL, &err);
}

/* Each test is a process of its own, and so has a namespace of its own. */
static void setup(void)
{
	has_namespace = !unshare(CLONE_NEWNS | CLONE_NEWNET) &&
			!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
			!mount("sysfs", "/sys", "sysfs", 0, NULL) &&
			!access("/dev/net/tun", W_OK) && !shell("ip link add br0 type bridge");
	if (!has_namespace)
		fprintf(stderr, "no network namespace here\n");
}

START_TEST(a_tap_device_has_as_many_queues_as_asked_for_and_goes_with_them)
{
	int fds[4], more[1];

	if (!has_namespace)
		return;
	ck_assert_int_eq(link_open_tap("tap7", 4, fds, &err), 0);
	ck_assert(link_exists("tap7"));
	ck_assert(!link_is_bridge("tap7"));
	ck_assert_int_eq(link_configure("tap7", 9000, &err), 0);
	ck_assert_uint_eq(link_mtu("tap7"), 9000);
	ck_assert_int_eq(link_open_tap("tap7", 1, more, &err),
			 0); /* as after a restart of lodged */
	ck_assert_int_eq(link_park_queues(more, 1, &err), 0);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	ck_assert(link_exists("tap7"));
	close(more[0]);
	ck_assert(!link_exists("tap7"));
}
END_TEST

START_TEST(a_device_joins_a_bridge_once_and_takes_its_mtu)
{
	struct interface nic = { .type = INTERFACE_BRIDGE, .bridge = (char[]){ "br0" } };
	int fd;

	if (!has_namespace)
		return;
	ck_assert_int_eq(shell("ip link set br0 mtu 1400"), 0);
	ck_assert_int_eq(nic_switch_check(&nic, &err), 0);
	ck_assert_int_eq(link_open_tap("tap0", 1, &fd, &err), 0);
	ck_assert_int_eq(nic_switch_connect(&nic, "tap0", &err), 0);
	ck_assert_int_eq(nic_switch_connect(&nic, "tap0", &err), 0);
	ck_assert_int_eq(access("/sys/class/net/br0/brif/tap0", F_OK), 0);
	ck_assert_uint_eq(link_mtu("tap0"), 1400);
	close(fd);
}
END_TEST

START_TEST(vlans_are_refused_on_a_bridge_without_and_set_on_one_with)
{
	struct vlan_tag tags[] = { { 42 }, { 43 } };
	struct interface nic = {
		.type = INTERFACE_BRIDGE,
		.bridge = (char[]){ "br0" },
		.vlans = tags,
		.nr_vlans = 1,
	};
	int fd;

	if (!has_namespace)
		return;
	ck_assert_int_eq(nic_switch_check(&nic, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "vlan_filtering 1"));
	if (shell("ip link set br0 type bridge vlan_filtering 1 2>/dev/null"))
		return; /* a kernel without */
	ck_assert_int_eq(nic_switch_check(&nic, &err), 0);
	ck_assert_int_eq(link_open_tap("tap0", 1, &fd, &err), 0);
	ck_assert_int_eq(nic_switch_connect(&nic, "tap0", &err), 0);
	ck_assert_int_eq(shell("bridge vlan show dev tap0 | grep -q '42 PVID Egress Untagged'"), 0);
	ck_assert_int_ne(shell("bridge vlan show dev tap0 | grep -q '\\<1\\>'"), 0);
	nic.nr_vlans = 2;
	nic.vlan_trunk = true;
	ck_assert_int_eq(nic_switch_connect(&nic, "tap0", &err), 0);
	ck_assert_int_eq(shell("bridge vlan show dev tap0 | grep -q '43 *$'"), 0);
	close(fd);
}
END_TEST

START_TEST(what_cannot_be_plugged_in_is_refused_with_the_remedy)
{
	struct interface nic = { .type = INTERFACE_BRIDGE, .bridge = (char[]){ "nobr" } };

	ck_assert_int_eq(nic_switch_check(&nic, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "ip link add nobr type bridge"));
	nic.bridge = (char[]){ "lo" };
	ck_assert_int_eq(nic_switch_check(&nic, &err), -EINVAL);
	ck_assert_str_eq(err.text, "lo is no bridge");
	nic.type = INTERFACE_NETWORK;
	nic.network = (char[]){ "default" };
	ck_assert_int_eq(nic_switch_check(&nic, &err), -EOPNOTSUPP);
	nic.type = INTERFACE_ETHERNET;
	ck_assert_int_eq(nic_switch_check(&nic, &err), 0);
	nic.script = (char[]){ "/no/such/script" };
	ck_assert_int_eq(nic_switch_check(&nic, &err), -ENOENT);
	nic.script = NULL;
	nic.type = INTERFACE_BRIDGE;
	nic.port = PORT_OPENVSWITCH;
	if (access("/usr/bin/ovs-vsctl", X_OK)) {
		ck_assert_int_eq(nic_switch_check(&nic, &err), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.text, "install openvswitch-switch"));
	}
}
END_TEST

START_TEST(a_script_connects_the_device_without_being_waited_for)
{
	static const char path[] = "/tmp/lodge-unit-nic-script", out[] = "/tmp/lodge-unit-nic-out";
	struct interface nic = { .type = INTERFACE_ETHERNET, .script = (char *)(uintptr_t)path };
	FILE *f;
	int fd;

	if (!has_namespace)
		return;
	unlink(out);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\nsleep 0.2\necho \"$1 $vif\" >%s.new\nmv %s.new %s\n", out, out, out);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0700), 0);
	ck_assert_int_eq(link_open_tap("tap0", 1, &fd, &err), 0);
	ck_assert_int_eq(nic_switch_connect(&nic, "tap0", &err), 0);
	ck_assert_int_ne(access(out, F_OK), 0);
	for (int i = 0; i < 100 && access(out, F_OK); i++)
		usleep(50000);
	ck_assert_int_eq(shell("grep -qx 'online tap0' /tmp/lodge-unit-nic-out"), 0);
	close(fd);
	unlink(out);
	unlink(path);
}
END_TEST

START_TEST(the_filter_is_understood_by_nft_and_replaced_and_removed)
{
	struct card_address addresses[] = { { (char[]){ "10.0.0.5" } }, { (char[]){ "fd00::5" } } };
	struct interface nic = { .mac = { 0, 0x16, 0x3e, 1, 2, 3 } };

	if (!has_namespace || access("/usr/sbin/nft", X_OK))
		return;
	ck_assert_msg(!nic_filter_add(&nic, "vif3.0", &err), "%s", err.text);
	nic.addresses = addresses;
	nic.nr_addresses = 2;
	ck_assert_msg(!nic_filter_add(&nic, "vif3.0", &err), "%s", err.text);
	ck_assert_int_eq(shell("nft list table bridge lodge-vif3.0 | grep -q 10.0.0.5"), 0);
	nic_filter_remove("vif3.0");
	ck_assert_int_ne(shell("nft list table bridge lodge-vif3.0 2>/dev/null"), 0);
}
END_TEST

START_TEST(a_program_gets_its_input_and_its_failure_is_told)
{
	static const char *const same[] = { "/bin/sh", "-c", "test \"$(cat)\" = text", NULL };
	static const char *const bad[] = { "/bin/sh", "-c", "exit 3", NULL };
	static const char *const missing[] = { "/no/such/program", NULL };

	ck_assert_int_eq(run_program(same, "text", &err), 0);
	ck_assert_int_eq(run_program(bad, NULL, &err), -EIO);
	ck_assert_str_eq(err.text, "/bin/sh failed: exit status 3");
	ck_assert_int_eq(run_program(missing, NULL, &err), -ENOENT);
}
END_TEST

START_TEST(a_program_that_does_not_end_is_killed)
{
	static const char *const slow[] = { "/bin/sleep", "100", NULL };

	ck_assert_int_eq(run_program_within(slow, NULL, 50, &err), -ETIMEDOUT);
	ck_assert(strstr(err.text, "/bin/sleep"));
}
END_TEST

UNIT_MAIN("nic", setup, NULL, a_tap_device_has_as_many_queues_as_asked_for_and_goes_with_them,
	  a_device_joins_a_bridge_once_and_takes_its_mtu,
	  vlans_are_refused_on_a_bridge_without_and_set_on_one_with,
	  what_cannot_be_plugged_in_is_refused_with_the_remedy,
	  a_script_connects_the_device_without_being_waited_for,
	  the_filter_is_understood_by_nft_and_replaced_and_removed,
	  a_program_gets_its_input_and_its_failure_is_told, a_program_that_does_not_end_is_killed)
