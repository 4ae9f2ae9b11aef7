# What a guest's CPUs and clocks are like: features that are hidden or asked for, a clock of its own, a counter of
# another speed, as Debian's kernel sees them. The machine's CPU has AES and AVX.
# shellcheck shell=sh
. ./lib.sh

# With elements of its description, and what it runs.
start() # NAME MORE COMMAND
{
	call "{\"verb\":\"create\",\"xml\":\"<domain type=\\\"xen\\\"><name>$1</name><memory unit=\\\"MiB\\\">192</memory><os><type>xenpvh</type><kernel>/root/vmlinuz</kernel><initrd>/root/guest-initrd.cpio</initrd><cmdline>console=hvc0 quiet run=\\\"$3\\\"</cmdline></os>$2</domain>\"}"
}

said() # NAME WORD
{
	sed -n "s/^$2 \([^\r]*\).*/\1/p" "/var/log/lodge/$1.console" | head -n 1
}

feature() # POLICY NAME
{
	printf '<feature policy=\\"%s\\" name=\\"%s\\"/>' "$1" "$2"
}

call '{"verb":"host"}'
expect "the host tells that guests can have AVX" 1 "$(echo "$answer" | grep -c '"avx"')"
expect "and that none has SVM" 0 "$(echo "$answer" | grep -c '"svm"')"

look='echo avx $(grep -c -w avx /proc/cpuinfo); echo aes $(grep -c -w aes /proc/cpuinfo); echo sse2 $(grep -c -w sse2 /proc/cpuinfo); echo date $(date +%s); echo mhz $(grep MHz /proc/cpuinfo)'
start plain "<cpu>$(feature require avx)$(feature require aes)</cpu>" "$look"
expect "creating one that requires AVX and AES" 0 "$status"
wait_for plain stopped
expect "it has AVX" 1 "$(said plain avx)"
expect "and AES" 1 "$(said plain aes)"

start late "<cpu>$(feature disable avx)$(feature disable aes)</cpu><clock offset=\\\"variable\\\" adjustment=\\\"-86400\\\"><timer name=\\\"tsc\\\" frequency=\\\"1000000000\\\"/></clock>" "$look"
expect "creating one without, of yesterday" 0 "$status"
wait_for late stopped
now=$(date +%s)
expect "it has no AVX" 0 "$(said late avx)"
expect "and no AES" 0 "$(said late aes)"
expect "but SSE2" 1 "$(said late sse2)"
behind=$((now - $(said late date)))
echo "its clock is $behind s behind"
expect "its clock is a day behind" yes "$([ "$behind" -ge 86400 ] && [ "$behind" -lt 86520 ] && echo yes)"
expect "its counter runs at 1 GHz" 1000 "$(said late mhz | sed 's/.*: \([0-9]*\).*/\1/')"

start odd "<cpu>$(feature require svm)</cpu>" "$look"
expect "one that requires SVM is refused" 3 "$status"
expect "for that reason" 1 "$(echo "$answer" | grep -c 'name=..svm..>: guests of this host cannot have it')"
start odd "<cpu>$(feature forbid avx)</cpu>" "$look"
expect "so is one that forbids AVX" 3 "$status"
start odd "<cpu>$(feature require avx)$(feature disable xsave)</cpu>" "$look"
expect "and one that contradicts itself" 3 "$status"
start odd '<clock><timer name=\"tsc\" mode=\"native\" frequency=\"1000000000\"/></clock>' "$look"
expect "and one that wants another counter from the CPU itself" 3 "$status"
expect "guests that are left" 0 "$(nr_guests)"
[ "$failures" = 0 ] || tail -n 20 /var/log/lodge/*.console
finish
