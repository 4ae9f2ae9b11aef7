# What goes wrong around guests: xenstore dies at each verb, or hangs; the disk is full; domains die while they are
# built. Each is told, and nothing half-made stays.
# shellcheck shell=sh
. ./lib.sh
take_lodged

life=/root/guest-life

start_store()
{
	lodge-store --user lodge-store 2>>/var/log/lodge/lodge-store.log &
}

# Like lodged: its supervisor would wait longer and longer.
take_store()
{
	kill "$(ps -o pid,args | sed -n 's/^ *\([0-9]*\) .*supervise lodge-store .*/\1/p' | head -n 1)"
	while pidof lodge-store >/dev/null; do
		sleep 0.02
	done
	start_store
}

# It is two processes.
store()
{
	# shellcheck disable=SC2046
	kill "$1" $(pidof lodge-store)
}

kill_store()
{
	store -9
	start_store
}

# No guest, no node, no record.
nothing_left() # AFTER-WHAT
{
	expect "guests that are left after $1" 0 "$(nr_guests)"
	expect "nodes that are left after $1" "" "$(xenstore-list /lodge)$(xenstore-list /vm)$(xenstore-list /local/domain | grep -v '^0$')"
	expect "records that are left after $1" "" "$(find /var/lib/lodge/state /var/lib/lodge/domains -type f)"
}

take_store
create warm "$life" 64 && verb destroy warm
before=$(free_pages)

# What a guest says last is told, however short after it ends.
for n in 1 2 3; do
	define brief "$life" 64 then=poweroff
	verb start brief
	wait_for brief stopped
	verb why brief
	expect "its last words, time $n" 1 "$(echo "$answer" | grep -c 'life: ends')"
	verb undefine brief
done

# The store dies somewhere in a verb: it is done, or fails and is undone, and lodged goes on. For set-memory, the store
# is away longer than lodged waits for it.
hurt() # VERB GUEST [MEMBERS]
{
	for delay in 0 0.02; do
		(sleep "$delay" && store -9
			[ "$1" = set-memory ] || { sleep 0.3 && start_store; }) &
		killer=$!
		verb "$@"
		[ "$status" = 0 ] || [ "$status" = 1 ] || [ "$status" = 4 ] || [ "$status" = 6 ] || [ "$status" = 8 ] ||
			expect "$1 while xenstore dies" "done or failed" "$status: $answer"
		wait "$killer"
		[ "$1" != set-memory ] || start_store
		call '{"verb":"list"}'
		expect "$1 while xenstore dies: lodged lives" 0 "$status"
	done
}

for delay in 0 0.05 0.2; do
	(sleep "$delay" && kill_store) &
	killer=$!
	create hurt "$life" 64 '' '<vcpu>2</vcpu>'
	expect "a guest is created although xenstore dies" 0 "$status"
	wait "$killer"
	verb destroy hurt
	expect "and destroyed" 0 "$status"
done
create hurt "$life" 64 deaf '<vcpu>2</vcpu>'
hurt set-memory hurt '"kib":61440'
hurt set-vcpus hurt '"count":1'
hurt sysrq hurt '"key":"h"'
hurt pause hurt
hurt resume hurt
hurt shutdown hurt
hurt nic-attach hurt '"xml":"<interface type=\"bridge\"><source bridge=\"xenbr0\"/><mac address=\"00:16:3e:00:00:01\"/></interface>"'
hurt destroy hurt
verb destroy hurt || true
nothing_left "xenstore's deaths"

# It hangs: lodged answers, and says what is wrong; then it goes on.
create slow "$life" 64
store -STOP
verb set-memory slow '"kib":61440'
expect "a verb fails when xenstore hangs" 1 "$status"
started=$(cut -d . -f 1 /proc/uptime)
call '{"verb":"list"}'
verb info slow
expect "others are answered at once" soon "$([ $(($(cut -d . -f 1 /proc/uptime) - started)) -lt 4 ] && echo soon)"
store -CONT
verb set-memory slow '"kib":61440'
expect "it goes on" 0 "$status"
verb destroy slow

# Somebody else destroys domains as soon as they are there.
for delay in 0 5000 50000; do
	./domain-killer "$delay" &
	killer=$!
	create doomed "$life" 64
	wait "$killer"
	[ "$status" = 0 ] || expect "a domain that dies while it is built is told" 1 "$status"
	wait_for doomed stopped || true
done
nothing_left "domains' deaths"

# No room for records and definitions.
define old "$life" 64
mount -t tmpfs -o size=1m tmpfs /mnt
cp -r /var/lib/lodge/. /mnt
mount --bind /mnt /var/lib/lodge
kill_lodged
dd if=/dev/zero of=/var/lib/lodge/fill bs=1024 count=2048 2>/dev/null
create full "$life" 64
expect "a guest without room for its record is refused" 1 "$status"
define full "$life" 64
expect "a definition without room, too" 1 "$status"
verb set-memory old '"kib":32768'
expect "a definition that cannot be replaced" 1 "$status"
rm /var/lib/lodge/fill
kill_lodged
verb dumpxml old
expect "stays the old one" 1 "$(echo "$answer" | grep -c '>65536<')"
verb undefine old
nothing_left "a full disk"
umount /var/lib/lodge
kill_lodged
verb undefine old
sleep 1
expect "free memory" "$before" "$(free_pages)"
finish
