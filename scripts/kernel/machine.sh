#!/usr/bin/env bash
# A virtual machine whose kernel has the openvswitch module, for tests on hosts whose kernel has none.
#
#   machine.sh run [-t SECONDS] [-e NAME=VALUE]... COMMAND...   runs COMMAND there, with its output and exit status
#   machine.sh build         fetches what is missing, as `run` does
#   machine.sh accelerator   prints kvm, or tcg where the processor has to be emulated
#
# Its root file system is the host's, read-only, with writes kept in memory, so the command finds every program and
# file in its usual place. It has no network. Exit 124: ended after SECONDS. Exit 125: COMMAND was not reached.
# State lies in $PORTCULLIS_TEST_KERNEL_DIR (default ~/.cache/portcullis-kernel): Debian's kernel, unpacked.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../setup.sh"
state=${PORTCULLIS_TEST_KERNEL_DIR:-$HOME/.cache/portcullis-kernel}
fail() { say "$*"; exit 125; }

kernel_version() { basename "$state"/kernel/lib/modules/*; }

# Debian's newest kernel of this release, unpacked and not installed.
fetch_kernel() {
  local package new=$state/new
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
  [ -n "$package" ] || { apt_get update && fetch_kernel; return; }
  say "fetching $package"
  rm -rf "$new" "$state/kernel"
  mkdir -p "$new"
  (cd "$new" && { apt_get download "$package" || { apt_get update && apt_get download "$package"; }; }) &&
    dpkg-deb -x "$new"/*.deb "$new/kernel" && depmod -b "$new/kernel" "$(basename "$new"/kernel/lib/modules/*)" &&
    mv "$new/kernel" "$state/kernel" || fail 'the kernel could not be fetched'
  rm -rf "$new"
}

make_initramfs() {
  local root module
  root=$(mktemp -d "$state/initramfs.XXXXXX") || fail "cannot write to $state"
  mkdir -p "$root"/{bin,modules,proc,sys,dev,host,layer,root}
  cp "$(command -v busybox)" "$root/bin/busybox" && install -m 755 "$here/boot.sh" "$root/init" || fail 'no busybox'
  for module in virtio_pci virtiofs 9pnet_virtio 9p overlay; do
    modprobe -d "$state/kernel" -S "$(kernel_version)" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r module; do
    cp "$module" "$root/modules/" && basename "$module" >>"$root/modules/order"
  done
  [ -s "$root/modules/order" ] || fail 'the kernel has no modules'
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$state/initramfs"
  rm -rf "$root"
}

# KVM may be there and yet not boot a kernel, as inside some virtual machines.
find_accelerator() {
  local log=$state/accelerator.log
  rm -f "$log"
  [ ! -c /dev/kvm ] || timeout -s KILL 20 qemu-system-x86_64 -accel kvm -cpu host -m 256 -nodefaults -display none \
    -no-reboot -kernel "$state"/kernel/boot/vmlinuz-* -append 'console=ttyS0 panic=-1' -serial "file:$log" >/dev/null 2>&1
  if grep -qs 'Linux version' "$log"; then echo kvm; else echo tcg; fi >"$state/accelerator"
}

build() {
  need_packages qemu-system-x86 busybox-static cpio kmod || exit 125
  mkdir -p "$state" || fail "cannot write to $state"
  [ -d "$state/kernel" ] || fetch_kernel
  [ "$state/initramfs" -nt "$here/boot.sh" ] && [ "$state/initramfs" -nt "$here/machine.sh" ] || make_initramfs
  # A QEMU that KVM cannot serve may abort, of which the shell would tell.
  [ -s "$state/accelerator" ] || find_accelerator 2>/dev/null
}

run() {
  local limit=7200 variables=() option OPTARG OPTIND=1
  while getopts t:e: option; do
    case $option in t) limit=$OPTARG ;; e) variables+=("$OPTARG") ;; *) exit 125 ;; esac
  done
  shift $((OPTIND - 1))
  is_root || fail 'the machine needs root: it reads the files of the host as root'
  build
  exchange=$(mktemp -d "$state/run.XXXXXX") || fail "cannot write to $state"
  trap 'jobs -p | xargs -r kill -KILL 2>/dev/null; wait; rm -rf "$exchange"' EXIT
  trap 'exit 143' INT TERM
  printf '%s\0' "$@" >"$exchange/command"
  { [ ${#variables[@]} = 0 ] || printf "%s\0" "${variables[@]}"; } >"$exchange/environment"
  printf 'directory=%q\nmodules=%q\n' "$PWD" "$state/kernel/lib/modules/$(kernel_version)" >"$exchange/settings"
  cp "$here/init.sh" "$exchange/init"
  : >"$exchange/output"
  # An emulated processor is fastest when it is plain, and when nobody asks the machine for the time.
  local accelerator=(-accel tcg,thread=multi -cpu Nehalem)
  [ "$(cat "$state/accelerator")" != kvm ] || accelerator=(-accel kvm -cpu host)
  # However this script ends, these end with it.
  setpriv --pdeathsig KILL /usr/lib/qemu/virtiofsd -f --socket-path="$exchange/files" -o source=/ -o cache=always -o sandbox=chroot \
    -o log_level=err >"$exchange/virtiofsd" 2>&1 &
  local i
  for ((i = 0; i < 100; i++)); do [ -S "$exchange/files" ] && break; sleep 0.1; done
  setpriv --pdeathsig KILL qemu-system-x86_64 "${accelerator[@]}" -smp "$(nproc)" -m 4096 -nodefaults -no-user-config -display none -no-reboot \
    -object memory-backend-memfd,id=memory,size=4096M,share=on -numa node,memdev=memory \
    -kernel "$state"/kernel/boot/vmlinuz-* -initrd "$state/initramfs" \
    -append 'console=ttyS0 quiet panic=-1 oops=panic mitigations=off nowatchdog tsc=reliable clocksource=tsc net.ifnames=0' \
    -serial "file:$exchange/console" \
    -chardev "socket,id=files,path=$exchange/files" -device vhost-user-fs-pci,chardev=files,tag=host,queue-size=1024 \
    -virtfs "local,path=$exchange,mount_tag=exchange,security_model=none" >"$exchange/qemu" 2>&1 &
  local machine=$!
  tail -n +1 -f --pid="$machine" "$exchange/output" &
  local output=$!
  local began=$SECONDS
  while kill -0 "$machine" 2>/dev/null; do
    [ $((SECONDS - began)) -lt "$limit" ] || { say "the machine was ended after $limit seconds"; exit 124; }
    sleep 0.5
  done
  wait "$output"
  if [ ! -s "$exchange/status" ]; then
    tail -n 40 "$exchange"/{virtiofsd,qemu,console} >&2
    fail 'the machine ended before the command did'
  fi
  exit "$(cat "$exchange/status")"
}

case ${1:-} in
  build) build ;;
  accelerator) cat "$state/accelerator" ;;
  run) shift; run "$@" ;;
  *) sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 125 ;;
esac
