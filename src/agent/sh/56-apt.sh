# APT over dpkg: Debian, Ubuntu and derivatives.

apt_is_here() { command -v apt-get >/dev/null 2>&1; }

# apt_candidate NAME: prints the version that would be installed, by the host's package lists. Writes nothing.
apt_candidate() {
    apt-cache -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= policy "$1" 2>/dev/null | while read -r key version _; do
        [ "$key" = Candidate: ] && printf '%s' "$version"
    done
}

apt_installed() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | grep '^ii ' | cut -d ' ' -f 3 | sort
}

# Keeps services from starting: invoke-rc.d(8).
policy=/usr/sbin/policy-rc.d

# apt_install NAME...: sets code and output. If this program dies before it removes the policy, the policy forbids
# nothing any more.
apt_install() {
    apt_sweep
    if [ ! -e "$policy" ]; then
        # -C: does not follow a link in its place, not even a dangling one.
        (set -C && printf '#!/bin/sh\n# hactl: no service starts while process %s installs packages\n[ ! -d /proc/%s ] || exit 101\n' "$$" "$$" \
            >"$policy") && chmod 755 "$policy" || die write "cannot write $policy"
    fi
    output=$(
        umask 022
        apt-get update 2>&1
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold "$@" 2>&1
    )
    code=$?
    apt_sweep
}

apt_purge() { DEBIAN_FRONTEND=noninteractive dpkg --purge "$@"; }

# apt_sweep: removes the policy, if hactl created it.
apt_sweep() {
    if grep -q '^# hactl: ' "$policy" 2>/dev/null; then rm -f "$policy"; fi
}
