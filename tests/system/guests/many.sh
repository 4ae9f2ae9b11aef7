# many.sh COUNT: twenty guests at once, then COUNT one after the other; nothing is left of them.
# shellcheck shell=sh
. ./lib.sh
take_lodged

tiny=/root/guest-tiny

# Runs a command for each of the twenty, all at the same time; how many failed.
for_all() # COMMAND... with GUEST for the name
{
	for n in $(seq 20); do
		(eval "$(echo "$*" | sed "s/GUEST/g$n/g")" || echo "$n $answer" >>errors) &
	done
	wait
	[ ! -e errors ] || head -n 3 errors >&2
	[ ! -e errors ] || wc -l <errors
	rm -f errors
}

count() # STATE
{
	call '{"verb":"list"}'
	echo "$answer" | grep -o "\"state\":\"$1\"" | wc -l
}

create warm "$tiny" 4 && verb destroy warm
create warm "$tiny" 4 && verb destroy warm
sleep 1
before=$(free_pages)

expect "failures to create twenty" "" "$(for_all create GUEST "$tiny" 4)"
expect "how many run" 20 "$(count running)"
expect "failures to pause twenty" "" "$(for_all verb pause GUEST)"
expect "how many are paused" 20 "$(count paused)"
expect "failures to resume twenty" "" "$(for_all verb resume GUEST)"
kill_lodged
expect "how many run for a new lodged" 20 "$(count running)"
call '{"verb":"host"}'
each=$((($before - $(first free_pages)) / 20))
echo "memory of one: $((each * 4)) KiB, of which 4096 KiB are its own"
expect "failures to destroy twenty" "" "$(for_all verb destroy GUEST)"
expect "guests that are left" 0 "$(nr_guests)"

resident() # KiB of lodged
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pidof lodged)/status"
}

resident_before=$(resident)
failed=0
for n in $(seq "$1"); do
	./lodged-call "{\"verb\":\"create\",\"xml\":\"$(xml again "$tiny" 4)\"}" \
		'{"verb":"destroy","guest":"again"}' >/dev/null || failed=$((failed + 1))
done
expect "failures in a loop of $1" 0 "$failed"
sleep 1
expect "free memory" "$before" "$(free_pages)"
expect "nodes that are left" "" "$(xenstore-list /lodge)$(xenstore-list /vm)$(xenstore-list /local/domain | grep -v '^0$')"
grown=$(($(resident) - resident_before))
echo "lodged has grown by $grown KiB"
expect "lodged's growth" small "$([ "$grown" -lt 1024 ] && echo small)"
finish
