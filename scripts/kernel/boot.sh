#!/bin/busybox sh
# The virtual machine's first process, in its initramfs: mounts a writable layer over the host's files and continues there.
/bin/busybox --install -s /bin
export PATH=/bin
give_up() { echo "kernel machine: $*"; poweroff -f; }
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev || give_up 'no proc, sys or dev'
while read -r module; do insmod "/modules/$module" || give_up "cannot load $module"; done </modules/order
mount -t virtiofs -o ro host /host || give_up 'no files of the host'
mount -t tmpfs -o size=90%,mode=755 layer /layer && mkdir /layer/written /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/written,workdir=/layer/work root /root || give_up 'no root'
for system in proc sys dev; do mount --move "/$system" "/root/$system"; done
mount -t tmpfs -o mode=755 run /root/run && mkdir /root/run/exchange /root/run/lock /root/run/netns
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none exchange /root/run/exchange || give_up 'no exchange'
cp -a /modules/all /root/run/modules 2>/dev/null
exec switch_root /root /bin/bash /run/exchange/init
