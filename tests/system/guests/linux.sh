# Debian's kernel as it is packaged, with 4 vCPUs, twice: the second time its unpacked kernel is there already. Then
# the one that it has for clouds.
# shellcheck shell=sh
. ./lib.sh

start() # NAME CMDLINE [KERNEL]
{
	call "{\"verb\":\"create\",\"xml\":\"<domain type=\\\"xen\\\"><name>$1</name><memory unit=\\\"MiB\\\">192</memory><vcpu>4</vcpu><os><type>xenpvh</type><kernel>/root/${3-vmlinuz}</kernel><initrd>/root/guest-initrd.cpio</initrd><cmdline>console=hvc0 quiet $2</cmdline></os></domain>\"}"
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
if [ -e vmlinuz-cloud ]; then
	start cloud 'run=\"uname -r; echo there are $(nproc) CPUs\"' vmlinuz-cloud
	wait_for cloud stopped
	verb why cloud
	expect "how the cloud kernel ended" poweroff "$(first reason)"
	expect "its name and its vCPUs" 2 "$(grep -c '^6.*-cloud-amd64\|there are 4 CPUs' /var/log/lodge/cloud.console)"
fi
[ "$failures" = 0 ] || tail -n 20 /var/log/lodge/*.console
finish
