#!/bin/bash
# enter.sh ROOT PLACE SETTING... COMMAND...: runs a command inside a system that lies in ROOT, with the caches of PLACE. It mounts
# what a system needs, and is meant to be called in a mount namespace of its own (elsewhere.sh does).
set -euo pipefail
root=$1 place=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || true
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
for cache in ccache pip; do
  mkdir -p "$root/$cache"
  mount --bind "$place/$cache" "$root/$cache"
done
# Behind a proxy with a certificate authority of its own, only the host's list knows that authority.
authorities=etc/ssl/certs/ca-certificates.crt
if [ -e "/$authorities" ] && [ -e "$root/$authorities" ]; then mount --bind "/$authorities" "$root/$authorities"; fi
cd "$root"
exec chroot . /usr/bin/env -i "$@"
