# The life of guests: made, listed, paused, rebooted, ended in every way, and taken over by a new lodged.
# shellcheck shell=sh
. ./lib.sh
take_lodged

life=/root/guest-life
create warm "$life" 64 && verb destroy warm # from here on, memory in use is the same before and after
before=$(free_pages)

create web "$life" 64
expect "creating a guest" 0 "$status"
wait_for web "console:life: begins"
expect "its first line on the console" 0 "$status"
expect "its state" running "$(state web)"
call '{"verb":"list"}'
expect "its name in the list" web "$(first name)"
expect "its name in xenstore" web "$(xenstore-read "/local/domain/$(first id)/name")"
verb pause web
expect "its state when paused" paused "$(state web)"
verb resume web
expect "its state when resumed" running "$(state web)"
create web "$life" 64
expect "another of that name" 5 "$status"

verb info web
id=$(first id)
verb shutdown web '"mode":"reboot","wait_s":20'
expect "rebooting it" 0 "$status"
verb info web
expect "its domain is a new one" different "$([ "$(first id)" != "$id" ] && echo different)"
wait_for web "console:asked to reboot"
expect "its console's log goes on" 0 "$status"

kill_lodged
verb info web
expect "its state for a new lodged" running "$(first state)"
verb shutdown web '"wait_s":20'
expect "shutting it down" 0 "$status"
verb why web
expect "why it ended" poweroff "$(first reason)"
expect "guests that are left" 0 "$(nr_guests)"

create crash "$life" 64 then=fault '<on_crash>preserve</on_crash>'
wait_for crash stopped
expect "the state of one that crashed" crashed "$(state crash)"
verb why crash
expect "why it ended" crash "$(first reason)"
expect "its last line is told" 1 "$(echo "$answer" | grep -c "life: begins")"
expect "its registers are told" 1 "$(echo "$answer" | grep -c '"rip":"0x')"
verb dump-core crash '"path":"/tmp/core"'
expect "dumping it" 0 "$status"
expect "the dump is an ELF core" 4 "$(od -A n -j 16 -N 1 -t u1 /tmp/core | tr -d ' ')"
rm -f /tmp/core
verb destroy crash

define loop "$life" 64 then=reboot
verb start loop
sleep 4
verb info loop
expect "starts of one that reboots at once" few "$([ "$(grep -c 'loop: started' /var/log/lodge/lodged.log)" -lt 6 ] && echo few)"
verb destroy loop
verb undefine loop
expect "forgetting it" 0 "$status"

create odd /root/nothing 64
expect "a kernel that is not there" 1 "$status"
create odd /bin/busybox 64
expect "a kernel without an entry" 3 "$status"
create odd "$life" 500000
expect "one that does not fit" 7 "$status"
create odd "$life" 64 '' '<vcpu>0</vcpu>'
expect "a mistake in the XML" 3 "$status"

# lodged dies at some moment of a build.
for delay in 0 0.01 0.02 0.03 0.05 0.08; do
	create doomed "$life" 64 2>/dev/null &
	creation=$!
	sleep "$delay"
	kill_lodged
	wait "$creation"
	verb destroy doomed
done
expect "guests that are left" 0 "$(nr_guests)"
expect "nodes that are left" "" "$(xenstore-list /lodge)$(xenstore-list /vm)$(xenstore-list /local/domain | grep -v '^0$')"
expect "records that are left" "" "$(find /var/lib/lodge/state /var/lib/lodge/domains -type f)"
sleep 1 # rings are unmapped when their users notice
expect "free memory" "$before" "$(free_pages)"

call '{"verb":"doctor"}'
expect "the doctor sees the hypervisor" 1 "$(echo "$answer" | grep -c '"name":"hypervisor","ok":true')"
finish
