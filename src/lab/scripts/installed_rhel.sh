# Builds the layer with nginx and keepalived as the image's own DNF installs them. Runs in mount and process namespaces
# of its own.
# Arguments: the layers below, separated by colons; the folder for the layer; a scratch folder; the packages.
set -eu
below=$1 layer=$2 scratch=$3 packages=$4
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
mkdir -p "$layer" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay overlay -o "lowerdir=$below,upperdir=$layer,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
# shellcheck disable=SC2086 # the packages are words
chroot "$root" dnf --assumeyes install $packages
touch "$root/etc/.updated" "$root/var/.updated"
umount "$root/proc"
umount "$root"
