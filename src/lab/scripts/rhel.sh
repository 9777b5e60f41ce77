# Builds the layer that turns Debian's image into one that calls itself Rocky Linux 9: the real rpm and DNF, RHEL's paths,
# users and presets, and nginx and keepalived in packages like those of RHEL, made of Debian's programs. Runs in mount
# and process namespaces of its own.
# Arguments: the base image, the folder for the layer, a scratch folder, the suite, the mirror.
set -eu
base=$1 layer=$2 scratch=$3 suite=$4 mirror=$5
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
mkdir -p "$layer" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$layer,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
# What is only needed here stays out of the layer.
mount -t tmpfs tmpfs "$root/tmp"

echo "Fetching rpm and DNF"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
chroot "$root" apt-get -o Acquire::Check-Valid-Until=false update
chroot "$root" apt-get --yes --no-install-recommends install rpm dnf createrepo-c
# Everything that nginx and keepalived depend on, but not these.
debs=$root/tmp/debs
mkdir -p "$debs/partial"
chroot "$root" apt-get --yes --download-only -o Dir::Cache::archives=/tmp/debs install \
    nginx keepalived libnginx-mod-stream
mkdir "$root/tmp/ours"
for deb in "$debs"/*.deb; do
    case ${deb##*/} in
    nginx* | keepalived_* | libnginx-mod-stream_*) mv "$deb" "$root/tmp/ours/" ;;
    esac
done
chroot "$root" sh -c 'dpkg --install /tmp/debs/*.deb'

echo "Building packages"
# The tree of a package, and a file of it from standard input.
tree() { tree=$root/tmp/tree-$1 && mkdir -p "$tree"; }
put() { mkdir -p "$tree${1%/*}" && cat >"$tree$1"; }
# unpack NAME: what Debian's package of that name has, in $from.
unpack() { chroot "$root" sh -c "dpkg-deb --extract /tmp/ours/$1_*.deb /tmp/from-$1" && from=$root/tmp/from-$1; }
version() { chroot "$root" sh -c "dpkg-deb --field /tmp/ours/$1_*.deb Version" | sed 's/^[0-9]*://; s/[-+~].*//'; }
# package NAME VERSION [SECTIONS]: makes it of $tree.
package() {
    {
        printf 'Name: %s\nVersion: %s\nRelease: 1.el9\nSummary: %s for tests\nLicense: of Debian\n' "$1" "$2" "$1"
        printf 'AutoReqProv: no\n%s\n' "${4-}"
        printf '%%description\nMade of Debian programs.\n%%install\ncp -a /tmp/tree-%s/. %%{buildroot}/\n' "$1"
        printf '%s\n%%files\n' "${3-}"
        (cd "$tree" && find . -type f | sed -e 's,^\.\(/etc/.*\),%config(noreplace) \1,' -e 's,^\.,,')
        (cd "$tree" && find . -type d \( -path "*/${1%%-*}*" -o -empty \) | sed 's,^\.,%dir ,')
    } >"$root/tmp/$1.spec"
    chroot "$root" rpmbuild --quiet -bb --define '_rpmdir /opt/hactl-lab/rpm' --define '_topdir /tmp/rpmbuild' \
        --define '_build_id_links none' --define 'debug_package %{nil}' --define '__os_install_post %{nil}' \
        "/tmp/$1.spec"
}
mkdir -p "$root/opt/hactl-lab/rpm"
# Debian's rpm has its database in the home folder.
mkdir -p "$root/etc/rpm"
echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.lab"

# What the others need and rpm would otherwise miss: here it is Debian's.
tree system
put /usr/lib/systemd/system-preset/99-default-disable.preset <<'END'
disable *
END
mkdir -p "$tree/etc/sysconfig"
package system 9 '' 'Provides: /bin/sh, system-release = 9, system-release(releasever) = 9'

tree nginx
unpack nginx
cp -a "$from/." "$tree/"
unpack nginx-common
mkdir -p "$tree/etc/nginx/conf.d" "$tree/usr/share/nginx/modules" "$tree/var/log/nginx" "$tree/var/lib/nginx"
for file in mime.types fastcgi_params proxy_params scgi_params uwsgi_params; do
    cp "$from/etc/nginx/$file" "$tree/etc/nginx/"
done
put /usr/share/nginx/html/index.html <<'END'
A page of the package.
END
put /etc/nginx/nginx.conf <<'END'
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log;
pid /run/nginx.pid;
include /usr/share/nginx/modules/*.conf;
events {
    worker_connections 1024;
}
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    include /etc/nginx/conf.d/*.conf;
    server {
        listen 80;
        listen [::]:80;
        server_name _;
        root /usr/share/nginx/html;
    }
}
END
put /usr/lib/systemd/system/nginx.service <<'END'
[Unit]
Description=The nginx HTTP and reverse proxy server
After=network-online.target remote-fs.target nss-lookup.target
Wants=network-online.target
[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=/usr/bin/rm -f /run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t
ExecStart=/usr/sbin/nginx
ExecReload=/usr/sbin/nginx -s reload
KillSignal=SIGQUIT
TimeoutStopSec=5
KillMode=mixed
PrivateTmp=true
[Install]
WantedBy=multi-user.target
END
rm -rf "$tree/usr/share/doc" "$tree/usr/share/man"
# shellcheck disable=SC2016 # rpm's shell expands it
package nginx "$(version nginx)" '%pre
getent group nginx >/dev/null || groupadd -r nginx
getent passwd nginx >/dev/null || useradd -r -g nginx -d /var/lib/nginx -s /sbin/nologin nginx
%post
[ "$1" != 1 ] || systemctl --no-reload preset nginx.service || :
%preun
[ "$1" != 0 ] || systemctl --no-reload disable --now nginx.service || :
%postun
systemctl daemon-reload || :'

tree nginx-mod-stream
unpack libnginx-mod-stream
mkdir -p "$tree/usr/lib"
cp -a "$from/usr/lib/nginx" "$tree/usr/lib/"
put /usr/share/nginx/modules/mod-stream.conf <<'END'
load_module "/usr/lib/nginx/modules/ngx_stream_module.so";
END
package nginx-mod-stream "$(version nginx)" '' 'Requires: nginx'

tree keepalived
unpack keepalived
mkdir -p "$tree/usr/sbin"
cp "$from/usr/sbin/keepalived" "$tree/usr/sbin/"
# RHEL's keepalived comes with a configuration that would start.
put /etc/keepalived/keepalived.conf <<'END'
global_defs {
   router_id LVS_DEVEL
   vrrp_skip_check_adv_addr
   vrrp_garp_interval 0
   vrrp_gna_interval 0
}

vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        192.168.200.16
        192.168.200.17
    }
}
END
put /etc/sysconfig/keepalived <<'END'
KEEPALIVED_OPTIONS="-D"
END
put /usr/lib/systemd/system/keepalived.service <<'END'
[Unit]
Description=LVS and VRRP High Availability Monitor
After=network-online.target syslog.target
Wants=network-online.target
[Service]
Type=forking
PIDFile=/run/keepalived.pid
KillMode=process
EnvironmentFile=-/etc/sysconfig/keepalived
ExecStart=/usr/sbin/keepalived $KEEPALIVED_OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
END
# shellcheck disable=SC2016 # rpm's shell expands it
package keepalived "$(version keepalived)" '%post
[ "$1" != 1 ] || systemctl --no-reload preset keepalived.service || :
%preun
[ "$1" != 0 ] || systemctl --no-reload disable --now keepalived.service || :
%postun
systemctl daemon-reload || :'

chroot "$root" createrepo_c --quiet /opt/hactl-lab/rpm
mkdir -p "$root/etc/yum.repos.d"
cat >"$root/etc/yum.repos.d/lab.repo" <<'END'
[lab]
name=The machine's own packages
baseurl=file:///opt/hactl-lab/rpm
gpgcheck=0
END
chroot "$root" sh -c 'rpm --install /opt/hactl-lab/rpm/*/system-*.rpm'
chroot "$root" dnf --quiet makecache

echo "Configuring the image"
rm -f "$root/etc/os-release"
cat >"$root/etc/os-release" <<'END'
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx), of Debian's programs"
END
# RHEL's shell, and nothing of Debian's to install packages with.
ln -sf bash "$root/usr/bin/sh"
rm -f "$root"/usr/bin/apt* "$root"/usr/bin/dpkg* "$root/usr/sbin/start-stop-daemon" "$root/usr/sbin/policy-rc.d"
rm -rf "$root/opt/hactl-lab/apt" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
: >"$root/etc/resolv.conf"
touch "$root/etc/.updated" "$root/var/.updated"
umount "$root/tmp" "$root/proc"
umount "$root"
