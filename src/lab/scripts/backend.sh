# Runs one backend's nginx in the lab's shared backend root, in that backend's network namespace. All input comes from
# the environment.
set -eu
for cgroup in $CGROUPS; do
    echo $$ >"$cgroup/cgroup.procs"
done
exec nsenter --net="/run/netns/$NETNS" chroot "$ROOT" \
    /usr/sbin/nginx -c "/srv/$NODE/nginx.conf" -g 'daemon off;'
