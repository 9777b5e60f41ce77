# Builds the layer with nginx and keepalived as Debian's packages leave them, installed from the base image's own
# repository. Runs in mount and process namespaces of its own.
# Arguments: the base image, the folder for the layer, a scratch folder, the packages.
set -eu
base=$1 layer=$2 scratch=$3 packages=$4
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
mkdir -p "$layer" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$layer,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
# Nothing may start here: there is no service manager, and the ports belong to the host.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get update
# shellcheck disable=SC2086 # the packages are words
chroot "$root" apt-get --yes install $packages
rm "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/var/lib/apt/lists/*
touch "$root/etc/.updated" "$root/var/.updated"
umount "$root/proc"
umount "$root"
