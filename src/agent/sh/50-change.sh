# The change itself: lock, prepare, stage, activate, confirm, revert. Everything is under $state:
#   lock        who works on this host, until when
#   tx/ID/new   the staged tree            tx/ID/before   the host as it was before activation
#   journal     the change under way       outcome        how the last one ended
#   generations/N, live -> generations/N   what was applied; 0 is the host before hactl
#   agent       this program, for the revert timer

unit_dir=/etc/systemd/system

# lock TX HOLDER PID SECONDS: takes the lock, or names its holder. A lock of another boot, or one
# whose time is over, is nobody's.
lock() {
    with_mutex
    if [ -f "$state/lock" ] && [ "$(value_in "$state/lock" tx)" != "$1" ]; then
        if [ "$(value_in "$state/lock" boot)" = "$(boot_id)" ] &&
            [ "$(uptime_seconds)" -lt "$(value_in "$state/lock" until)" ]; then
            say fail locked "$(value_in "$state/lock" holder)" "$(value_in "$state/lock" pid)" "$(value_in "$state/lock" since)"
            say end
            exit 1
        fi
        say stale-lock "$(value_in "$state/lock" holder)" "$(value_in "$state/lock" since)"
    fi
    {
        printf 'tx\t%s\n' "$1"
        printf 'holder\t%s\n' "$2"
        printf 'pid\t%s\n' "$3"
        printf 'since\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        printf 'boot\t%s\n' "$(boot_id)"
        printf 'until\t%s\n' "$(($(uptime_seconds) + $4))"
    } >"$state/lock.new" && mv -f "$state/lock.new" "$state/lock" || die state-unwritable "cannot write $state/lock"
    if [ -f "$state/journal" ]; then
        say journal "$(value_in "$state/journal" tx)" "$(value_in "$state/journal" phase)"
    fi
    finish
}

# unlock TX: gives it back, if it is ours.
unlock() {
    with_mutex
    if [ "$(value_in "$state/lock" tx)" = "$1" ]; then rm -f "$state/lock"; fi
    [ -f "$state/journal" ] || rm -rf "$state/tx"
    finish
}

must_hold() {
    [ "$(value_in "$state/lock" tx)" = "$1" ] || die lock-lost "the lock on this host is no longer ours"
}

# prepare TX: standard input is the manifest of what will be managed, and the packages to install.
# Records the host as it is, so that generation 0 can bring it back, then installs.
prepare() {
    with_mutex
    must_hold "$1"
    mkdir -p "$state/tx/$1" || die state-unwritable "cannot create $state/tx/$1"
    packages=''
    : >"$state/tx/$1/wanted" || die disk "cannot write in $state"
    while IFS=$tab read -r kind a b c d e f; do
        case $kind in
        package) packages="$packages $a" ;;
        end) break ;;
        *) printf '%s\n' "$kind${a:+$tab$a}${b:+$tab$b}${c:+$tab$c}${d:+$tab$d}${e:+$tab$e}${f:+$tab$f}" >>"$state/tx/$1/wanted" ;;
        esac
    done
    if [ ! -f "$state/generations/0/manifest" ]; then
        mkdir -p "$state/generations/0/files"
        {
            printf 'generation\t0\n'
            printf 'applied_at\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        } >"$state/generations/0/manifest" || die disk "cannot write $state/generations/0/manifest"
    fi
    # What a live generation manages was recorded when it came; the rest is recorded now.
    capture_missing "$state/tx/$1/wanted" "$state/generations/0"
    # shellcheck disable=SC2086
    [ -z "$packages" ] || install_packages "$1" $packages
    finish
}

installed_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | grep '^ii ' | cut -d ' ' -f 3 | sort; }

# install_packages TX NAME...: without starting any service (policy-rc.d, invoke-rc.d(8)).
install_packages() {
    into=$state/tx/$1
    shift
    command -v apt-get >/dev/null 2>&1 || die packages "no apt-get here: install $* by hand"
    installed_packages >"$into/packages-before"
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made_policy=yes
    fi
    output=$(
        umask 022
        apt-get update 2>&1
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold "$@" 2>&1
    )
    code=$?
    [ "$made_policy" = no ] || rm -f "$policy"
    installed_packages >"$into/packages-after"
    comm -13 "$into/packages-before" "$into/packages-after" >>"$state/packages"
    comm -13 "$into/packages-before" "$into/packages-after" >"$into/packages"
    [ "$code" -eq 0 ] || die packages "apt-get cannot install $*" "$output"
    while read -r name; do say package "$name"; done <"$into/packages"
}

# remove_packages FILE: purges those that hactl installed.
remove_packages() {
    [ -s "$1" ] || return 0
    # shellcheck disable=SC2046
    output=$(DEBIAN_FRONTEND=noninteractive dpkg --purge $(cat "$1") 2>&1) || note packages "dpkg cannot purge: $output"
    if [ -f "$state/packages" ]; then
        grep -vxFf "$1" "$state/packages" >"$state/packages.new"
        mv -f "$state/packages.new" "$state/packages"
    fi
    rm -f "$1"
}

# stage TX: the tree from standard input, kept for activation. Nothing live changes.
stage() {
    with_mutex
    must_hold "$1"
    rm -rf "$state/tx/$1/new"
    receive_tree "$state/tx/$1/new"
    check_writable "$state/tx/$1/new"
    finish
}

# check_writable DIR: a folder that cannot be written is better found now than while activating.
check_writable() {
    checked=''
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        dir=${path%/*}
        while [ -n "$dir" ] && [ ! -d "$dir" ]; do dir=${dir%/*}; done
        case " $checked " in *" $dir "*) continue ;; esac
        checked="$checked $dir"
        probe=$(mktemp "${dir:-/}/.hactl.XXXXXX" 2>&1) || die read-only "cannot write in ${dir:-/}: ${probe##*: }"
        rm -f -- "$probe"
    done <"$1/manifest"
}

# journal TX PHASE SECONDS: what is under way, written before it is done.
journal() {
    {
        printf 'tx\t%s\n' "$1"
        printf 'phase\t%s\n' "$2"
    } >"$state/journal.new" && sync "$state/journal.new" && mv -f "$state/journal.new" "$state/journal" ||
        die disk "cannot write $state/journal"
}

# arm TX SECONDS: from now on this host undoes the change by itself, unless it is confirmed.
arm() {
    printf '%s\n' "$script" >"$state/agent.new" && mv -f "$state/agent.new" "$state/agent" || die disk "cannot write $state/agent"
    cat >"$unit_dir/hactl-revert.service" <<END && cat >"$unit_dir/hactl-revert.timer" <<END2 && cat >"$unit_dir/hactl-revert-boot.service" <<END3 || die write "cannot write in $unit_dir"
[Unit]
Description=Undo a change of hactl's that was not confirmed
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire $1
END
[Unit]
Description=Time left to confirm a change of hactl's
[Timer]
OnActiveSec=$2
AccuracySec=100ms
END2
[Unit]
Description=Undo a change of hactl's that a reboot interrupted
DefaultDependencies=no
After=local-fs.target
Before=nginx.service keepalived.service systemd-sysctl.service
[Service]
Type=oneshot
ExecStart=/bin/sh $state/agent expire-at-boot $1
[Install]
WantedBy=multi-user.target
END3
    chmod 644 "$unit_dir"/hactl-revert*
    mkdir -p "$unit_dir/multi-user.target.wants" &&
        ln -sf "$unit_dir/hactl-revert-boot.service" "$unit_dir/multi-user.target.wants/hactl-revert-boot.service"
    systemctl daemon-reload && systemctl start hactl-revert.timer || die write "cannot arm the revert timer"
}

disarm() {
    systemctl stop hactl-revert.timer 2>/dev/null
    rm -f "$unit_dir/hactl-revert.service" "$unit_dir/hactl-revert.timer" "$unit_dir/hactl-revert-boot.service" \
        "$unit_dir/multi-user.target.wants/hactl-revert-boot.service" "$state/agent"
    systemctl daemon-reload
}

# activate TX SECONDS: puts the staged tree in place, brings the daemons to it and proves that they
# run it. Standard input: what lay there when the plan was made, and what each unit needs.
activate() {
    with_mutex
    must_hold "$1"
    into=$state/tx/$1
    [ -f "$into/new/manifest" ] || die protocol "nothing is staged"
    nginx_action=none keepalived_action=none
    while IFS=$tab read -r kind a b; do
        case $kind in
        expect) expect_path "$a" "$b" ;;
        action) case $a in nginx) nginx_action=$b ;; keepalived) keepalived_action=$b ;; esac ;;
        end) break ;;
        esac
    done
    rm -rf "$into/before"
    capture_missing "$into/new/manifest" "$into/before"
    journal "$1" activating
    arm "$1" "$2"
    place_on_error=die
    place_tree "$into/new"
    place_sysctls "$into/new"
    [ "$units_changed" = no ] || systemctl daemon-reload
    if [ -f /etc/tmpfiles.d/hactl.conf ]; then systemd-tmpfiles --create /etc/tmpfiles.d/hactl.conf >/dev/null 2>&1; fi
    emergencies=$(nginx_emergencies)
    run_action nginx.service "$nginx_action"
    run_action keepalived.service "$keepalived_action"
    prove "$into/new" "$emergencies"
    journal "$1" activated
    finish
}

# expect_path HASH PATH: the plan was made for this host as it was; is it still?
expect_path() {
    if [ -f "$2" ] && [ ! -L "$2" ]; then found=$(sha256_of "$2"); else found=-; fi
    [ "$found" = "$1" ] || die moved-on "$2 was changed after the plan was made"
}

run_action() {
    case $2 in
    none) return 0 ;;
    stop) systemctl disable --now "$1" >/dev/null 2>&1 && return 0 ;;
    reload | restart | start)
        systemctl is-enabled --quiet "$1" 2>/dev/null || systemctl enable "$1" >/dev/null 2>&1
        systemctl reset-failed "$1" 2>/dev/null
        output=$(systemctl "$2" "$1" 2>&1) && return 0
        ;;
    esac
    die service "systemctl $2 $1 failed" "${output-}
$(journalctl -u "$1" -n 15 --no-pager -o cat 2>/dev/null)"
}

# nginx_emergencies: how many [emerg] lines its error log has; a reload that fails adds some there
# and nowhere else, and `systemctl reload` returns 0 all the same.
nginx_emergencies() {
    log=/var/log/nginx/error.log
    if [ -r "$log" ]; then grep -c '\[emerg\]' "$log"; else printf 0; fi
}

# prove DIR EMERGENCIES: the running processes are asked which configuration they run.
prove() {
    wanted=$(value_in "$1/manifest" nginx_id)
    port=$(value_in "$1/manifest" status_port)
    [ -n "$wanted" ] || return 0
    tries=0
    until [ "$(served_id "$port")" = "$wanted" ]; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ] || [ "$(nginx_emergencies)" -gt "$2" ] && [ "$tries" -ge 10 ]; then
            die nginx-stale "nginx was told to load the new configuration and still serves $(served_id "$port" | grep . || echo none)" \
                "$(grep '\[emerg\]' /var/log/nginx/error.log 2>/dev/null | tail -n "+$(($2 + 1))" | sort -u -k 5 | head -n 5)"
        fi
        sleep 0.05
    done
    wanted=$(value_in "$1/manifest" keepalived_id)
    tries=0 loaded_id=''
    while :; do
        pid=$(main_pid keepalived.service)
        [ "${pid:-0}" -eq 0 ] || keepalived_dump "$pid"
        [ "$loaded_id" != "$wanted" ] || break
        tries=$((tries + 1))
        if [ "$tries" -ge 30 ]; then
            die keepalived-stale "keepalived was told to load the new configuration and runs ${loaded_id:-none of hactl}" \
                "$(journalctl -u keepalived.service -n 15 --no-pager -o cat 2>/dev/null)"
        fi
        sleep 0.1
    done
}

# confirm TX: the change stays. The staged tree becomes the live generation.
confirm() {
    with_mutex
    into=$state/tx/$1
    if [ "$(value_in "$state/journal" tx)" != "$1" ]; then
        [ "$(value_in "$state/live/manifest" tx)" = "$1" ] || die not-active "the change is not active here: $(value_in "$state/outcome" why)"
        finish
    fi
    [ "$(value_in "$state/journal" phase)" = activated ] || die not-active "the change did not get as far as being activated"
    number=$(value_in "$into/new/manifest" generation)
    if [ "$number" = 0 ]; then
        # From here on nobody goes back: only now the packages that hactl brought may go.
        restore_enablement "$into/new"
        problems=0
        [ ! -f "$state/packages" ] || remove_packages "$state/packages"
        rm -f "$state/live"
        rm -rf /run/hactl
    else
        rm -rf "$state/generations/$number"
        mv "$into/new" "$state/generations/$number" || die disk "cannot keep generation $number"
        ln -sfn "generations/$number" "$state/live.new" && mv -fT "$state/live.new" "$state/live" || die disk "cannot point to generation $number"
    fi
    record_outcome "$1" confirmed 'by hactl'
    rm -f "$state/journal"
    disarm
    rm -rf "$state/tx"
    say confirmed "$number"
    finish
}

record_outcome() {
    printf 'tx\t%s\nresult\t%s\nwhy\t%s\nat\t%s\n' "$1" "$2" "$3" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$state/outcome"
}

# revert TX WHY: the host as it was before activation. Every step is tried, whatever became of the
# others; what could not be undone is answered as problems.
revert() {
    with_mutex
    problems=0
    undo "$1" reverted "$2" running
    [ "$problems" -eq 0 ] || die revert "$problems steps of the undo failed"
    finish
}

# undo TX RESULT WHY running|booting
undo() {
    into=$state/tx/$1
    if [ "$(value_in "$state/journal" tx)" = "$1" ]; then
        place_on_error=note
        place_tree "$into/before"
        [ "$4" = booting ] || {
            place_sysctls "$into/before"
            systemctl daemon-reload
            restore_services "$into/before"
        }
        record_outcome "$1" "$2" "$3"
    fi
    [ "$4" = booting ] || [ ! -f "$into/packages" ] || remove_packages "$into/packages"
    if [ "$problems" -eq 0 ]; then
        rm -f "$state/journal"
        [ "$4" = booting ] || disarm
        rm -rf "$into"
    fi
    say reverted "$1"
}

# restore_services DIR: as the tree's service lines say. One that ran keeps running and reads its old
# file again; a reload that would keep the wrong listeners is made a restart.
restore_services() {
    while IFS=$tab read -r kind unit enabled active; do
        [ "$kind" = service ] || continue
        case $active in
        active | reloading)
            if is_active "$unit"; then
                systemctl reload "$unit" >/dev/null 2>&1 || systemctl restart "$unit" >/dev/null 2>&1 ||
                    note service "cannot bring $unit back"
            else
                systemctl reset-failed "$unit" 2>/dev/null
                systemctl start "$unit" >/dev/null 2>&1 || note service "cannot start $unit again"
            fi
            ;;
        *) systemctl stop "$unit" >/dev/null 2>&1 ;;
        esac
    done <"$1/manifest"
    restore_enablement "$1"
}

# restore_enablement DIR: whether units start at boot, as the tree's service lines say.
restore_enablement() {
    while IFS=$tab read -r kind unit enabled _; do
        case $kind:$enabled in
        service:enabled) systemctl enable "$unit" >/dev/null 2>&1 ;;
        service:disabled) systemctl disable "$unit" >/dev/null 2>&1 ;;
        esac
    done <"$1/manifest"
}

# expire TX: the timer's. expire_at_boot TX: before the daemons start, so that only files matter.
expire() {
    with_mutex 600
    problems=0
    undo "$1" expired 'nobody confirmed it in time' running
}

expire_at_boot() {
    with_mutex
    problems=0
    undo "$1" expired 'the host was restarted before it was confirmed' booting
    rm -f "$unit_dir"/hactl-revert.* "$unit_dir/hactl-revert-boot.service" \
        "$unit_dir/multi-user.target.wants/hactl-revert-boot.service"
}

# history: the manifests of all generations. generation N: one of them, with its contents.
history() {
    for dir in "$state"/generations/*; do
        [ -f "$dir/manifest" ] || continue
        say generation "${dir##*/}"
        body "$dir/manifest"
    done
    say live "$(value_in "$state/live/manifest" generation)"
    finish
}

generation() {
    dir=$state/generations/$1
    [ -f "$dir/manifest" ] || die no-generation "there is no generation $1 on this host"
    say generation "$1"
    body "$dir/manifest"
    while IFS=$tab read -r kind _ _ _ _ _ path; do
        [ "$kind" = file ] || continue
        say content "$path"
        body "$dir/files$path"
    done <"$dir/manifest"
    finish
}
