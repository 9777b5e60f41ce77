# world.sh ROOT SHELL: the private world of one test: a root of its own, with the machine's programs
# read-only, stubs before them, SHELL as its /bin/sh, and clocks and kernel settings that are files.
# It lives for as long as standard input is open.
set -eu
root=$1 shell=$2
mount --make-rprivate /
mount --bind "$root" "$root"
for dir in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then
        ln -s "$(readlink "/$dir")" "$root/$dir"
    elif [ -d "/$dir" ]; then
        mkdir "$root/$dir"
        mount --rbind "/$dir" "$root/$dir"
    fi
done
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --bind "$root/stubs" "$root/usr/local/sbin"
mount --bind "$shell" "$root$(readlink -f /bin/sh)"
mount --bind /dev "$root/dev"
read -r pid _ </proc/self/stat
mount -t proc proc "$root/proc"
mount --bind "$root/kernel/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount --bind "$root/kernel/uptime" "$root/proc/uptime"
mount --bind "$root/kernel/net" "$root/proc/sys/net"
echo "$pid"
exec cat >/dev/null
