# The virtual machine's first process after boot.sh: runs one command and powers the machine off. The host's processes
# are not visible here. Everything that the command writes is lost, except its output and status.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exchange=/run/exchange
# shellcheck source=/dev/null
. "$exchange/settings"
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
mkdir -p "/lib/modules/$(uname -r)"
mount --bind "$modules" "/lib/modules/$(uname -r)"
rm -rf /etc/openvswitch/conf.db /var/log/openvswitch /var/lib/portcullis
ip link set lo up
hostname kernel-machine
ulimit -n 65536
modprobe openvswitch
cd "$directory" && mapfile -d '' -t words <"$exchange/command" && mapfile -d '' -t settings <"$exchange/environment" &&
  setsid env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 "${settings[@]}" "${words[@]}" </dev/null >"$exchange/output" 2>&1
echo $? >"$exchange/status"
dmesg >"$exchange/kernel-log"
sync
echo o >/proc/sysrq-trigger
sleep 60
