# Debian's kernel as it is packaged, with 4 vCPUs, twice: the second time its unpacked kernel is there already.
# shellcheck shell=sh
. ./lib.sh

start() # NAME
{
	call "{\"verb\":\"create\",\"xml\":\"<domain type=\\\"xen\\\"><name>$1</name><memory unit=\\\"MiB\\\">192</memory><vcpu>4</vcpu><os><type>xenpvh</type><kernel>/root/vmlinuz</kernel><initrd>/root/guest-initrd.cpio</initrd><cmdline>console=hvc0 quiet $2</cmdline></os></domain>\"}"
}

start one 'run=\"echo there are $(nproc) CPUs; uname -r\"'
expect "creating it" 0 "$status"
wait_for one stopped
verb why one
expect "how the first ended" poweroff "$(first reason)"
expect "its vCPUs" 1 "$(grep -c 'there are 4 CPUs' /var/log/lodge/one.console)"
start two ''
wait_for two 'console:guest: up'
expect "the second boots" 0 "$status"
verb shutdown two '"wait_s":60'
expect "it shuts down when asked" 0 "$status"
verb why two
expect "how it ended" poweroff "$(first reason)"
[ "$failures" = 0 ] || tail -n 20 /var/log/lodge/*.console
finish
