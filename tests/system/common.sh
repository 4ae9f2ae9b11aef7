# Sourced by the system tests: a work folder that goes away, and words for what must hold.
# shellcheck shell=sh

set -eu
machine=$(dirname "$0")/../machine
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "FAILED: $*" >&2
	if [ -e "$work/log" ]; then
		echo "The end of the machine's log:" >&2
		tail -n 30 "$work/log" >&2
	fi
	exit 1
}

expect() # WHAT WANTED GOT
{
	[ "$2" = "$3" ] || fail "$1 is \"$3\", not \"$2\""
	echo "$1: $3"
}

# Runs a command in the service VM; its output is left in $work/out, the console's in $work/log.
run_machine() # MACHINE-OPTION... -- COMMAND...
{
	status=0
	"$machine" --log "$work/log" "$@" >"$work/out" || status=$?
	LC_ALL=C sed 's/[^[:print:]]//g; s/^/    /' "$work/out" | cut -c -100 | head -n 40
}

random_file() # FILE SIZE
{
	head -c "$2" /dev/urandom >"$1"
}

sum() # FILE
{
	sha256sum <"$1" | cut -d ' ' -f 1
}

# The value of a line "NAME VALUE" of the command's output.
value() # NAME
{
	sed -n "s/^$1 //p" "$work/out"
}
