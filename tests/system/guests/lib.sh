# For scripts in the service VM: requests to lodged, and words for what must hold.
# shellcheck shell=sh

set -u
failures=0

# The answer's last line is in $answer, its code's number is the status.
call() # REQUEST
{
	status=0
	answer=$(timeout 200 ./lodged-call "$1") || status=$?
	answer=$(echo "$answer" | tail -n 1)
	return "$status"
}


# Member of the result itself: the first of that name.
first() # NAME
{
	echo "$answer" | grep -o "\"$1\":\"\{0,1\}[^\",}]*" | head -n 1 | sed 's/^[^:]*:"\{0,1\}//'
}

expect() # WHAT WANTED GOT
{
	if [ "$2" = "$3" ]; then
		echo "ok: $1"
	else
		echo "FAILED: $1 is \"$3\", not \"$2\": $answer"
		failures=$((failures + 1))
	fi
}

must() # WHAT REQUEST
{
	call "$2"
	expect "$1" 0 "$status"
}

# A description; more: elements in it.
xml() # NAME KERNEL MIB [CMDLINE [MORE]]
{
	printf '<domain type=\\"xen\\"><name>%s</name><memory unit=\\"MiB\\">%s</memory>' "$1" "$3"
	printf '<os><type>xenpvh</type><kernel>%s</kernel><cmdline>%s</cmdline></os>%s</domain>' \
		"$2" "${4-}" "${5-}"
}

create() # NAME KERNEL MIB [CMDLINE [MORE]]
{
	call "{\"verb\":\"create\",\"xml\":\"$(xml "$@")\"}"
}

define() # NAME KERNEL MIB [CMDLINE [MORE]]
{
	call "{\"verb\":\"define\",\"xml\":\"$(xml "$@")\"}"
}

verb() # VERB GUEST [MEMBERS]
{
	call "{\"verb\":\"$1\",\"guest\":\"$2\"${3+,$3}}"
}

state() # GUEST
{
	if verb info "$1"; then first state; else echo none; fi
}

wait_for() # GUEST WHAT
{
	verb wait "$1" "\"for\":\"$2\",\"timeout_s\":150"
}

free_pages()
{
	call '{"verb":"host"}'
	first free_pages
}

nr_guests()
{
	call '{"verb":"list","all":true}'
	echo "$answer" | grep -o '"uuid"' | wc -l
}

# Its supervisor would wait longer and longer before it starts another one.
start_lodged()
{
	lodged 2>>/var/log/lodge/lodged.log &
	until ./lodged-call '{"verb":"version"}' >/dev/null 2>&1; do
		sleep 0.02
	done
}

take_lodged()
{
	kill "$(ps -o pid,args | sed -n 's/^ *\([0-9]*\) .*supervise lodged$/\1/p' | head -n 1)"
	while pidof lodged >/dev/null; do
		sleep 0.02
	done
	start_lodged
}

kill_lodged()
{
	kill -9 "$(pidof lodged)"
	start_lodged
}

finish()
{
	echo "failures $failures"
	exit "$((failures > 0))"
}
