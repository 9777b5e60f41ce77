# Builds the image that every machine of a lab starts from: a small Debian with systemd and sshd, and a package
# repository inside it, so that a machine can install nginx and keepalived offline. Runs in mount and process
# namespaces of its own, which end with it.
# Arguments: the folder to fill, the suite, the mirror, the packages to install, the packages for the repository.
set -eu
target=$1 suite=$2 mirror=$3 packages=$4 carried=$5
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
debootstrap --variant=minbase --include="$packages" "$suite" "$target" "$mirror"

echo "Fetching $carried"
apt_dir=$target/opt/hactl-lab/apt
mkdir -p "$apt_dir"
mount -t proc proc "$target/proc"
# dpkg syncs every file by default, which a lab does not need.
echo force-unsafe-io >"$target/etc/dpkg/dpkg.cfg.d/hactl-lab"
cp -L /etc/resolv.conf "$target/etc/resolv.conf"
echo "deb $mirror $suite main" >"$target/etc/apt/sources.list"
chroot "$target" apt-get clean
# A snapshot mirror has expired dates, which the host's own apt is configured to accept.
chroot "$target" apt-get -o Acquire::Check-Valid-Until=false update
# shellcheck disable=SC2086 # the carried packages are words
chroot "$target" apt-get --yes --download-only install $carried
mv "$target"/var/cache/apt/archives/*.deb "$apt_dir/"
for deb in "$apt_dir"/*.deb; do
    name=${deb##*/}
    chroot "$target" dpkg-deb --field "/opt/hactl-lab/apt/$name"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' \
        "$name" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >"$target/opt/hactl-lab/Packages"
mv "$target/opt/hactl-lab/Packages" "$apt_dir/Packages"
echo 'deb [trusted=yes] file:/opt/hactl-lab/apt ./' >"$target/etc/apt/sources.list"
rm -rf "$target"/var/lib/apt/lists/*
chroot "$target" apt-get clean
: >"$target/etc/resolv.conf"

echo "Configuring the image"
# Keys in the image would be the same on every machine, so each lab generates its own.
rm -f "$target"/etc/ssh/ssh_host_*
cat >"$target/etc/ssh/sshd_config.d/hactl-lab.conf" <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
END
: >"$target/etc/machine-id"
rm -f "$target/var/lib/dbus/machine-id"

chroot "$target" useradd --create-home --shell /bin/bash deploy
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >"$target/etc/sudoers.d/deploy"
chmod 0440 "$target/etc/sudoers.d/deploy"

# Units that a lab does not need only slow down its boot.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer console-getty.service getty.target getty-static.service \
    systemd-logind.service systemd-user-sessions.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-modules-load.service dev-hugepages.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$target/etc/systemd/system/$unit"
done
# sshd is up before systemd-user-sessions would admit users, so do not wait for that.
ln -sf /dev/null "$target/etc/tmpfiles.d/systemd-nologin.conf"
touch "$target/etc/.updated" "$target/var/.updated"
umount "$target/proc"
