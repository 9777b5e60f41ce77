# DNF over rpm, or YUM where there is no DNF: RHEL, its rebuilds, Fedora.

# dnf_is_here: sets dnf to the host's program. YUM takes the same words.
dnf_is_here() {
    command -v rpm >/dev/null 2>&1 || return 1
    for dnf in dnf yum; do
        if command -v "$dnf" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# dnf_candidate NAME: prints the version that would be installed, by the metadata that the host has cached (-C).
# Writes nothing but DNF's own log.
dnf_candidate() {
    "$dnf" -C -q list --available "$1" 2>/dev/null | while read -r name version _; do
        case $name in "$1".*) printf '%s' "${version%%-*}" && break ;; esac
    done
}

dnf_installed() { rpm -qa --qf '%{NAME}\n' 2>/dev/null | sort -u; }

# dnf_install NAME...: sets code and output. No package starts its service: presets decide what is enabled, and
# nothing more (systemd.preset(5)).
dnf_install() {
    for name; do
        # RHEL 7 has nginx in EPEL alone.
        if [ -z "$(dnf_candidate "$name")" ] && ! "$dnf" -q list "$name" >/dev/null 2>&1 &&
            "$dnf" -q list epel-release >/dev/null 2>&1; then
            "$dnf" -y install epel-release >/dev/null 2>&1
            break
        fi
    done
    output=$(umask 022 && "$dnf" -y --setopt=install_weak_deps=0 install "$@" 2>&1)
    code=$?
}

# dnf_purge NAME...: removes them, with the changed configuration and the folders full of empty folders that rpm would
# leave behind. Users stay, as always with rpm.
dnf_purge() {
    owned=$(rpm -ql -- "$@")
    rpm -e -- "$@" || return
    split_lines
    for file in $owned; do
        case $file in /etc/*) rm -f -- "$file.rpmsave" "$file.rpmnew" ;; esac
        if [ ! -d "$file" ] || [ -L "$file" ] || rpm -qf -- "$file" >/dev/null 2>&1; then continue; fi
        find "$file" -depth -type d -empty -delete
    done
    split_words
}

# An interrupted transaction leaves only rpm's own database to repair, which DNF does.
dnf_sweep() { :; }
