# Faults, for drills. Each one ends by itself on this host, whatever becomes of who asked for it.

# fault nginx-kill: nginx's master dies as by a crash; its unit starts it again (Restart=).
fault() {
    case $1 in
    nginx-kill)
        pid=$(main_pid nginx.service)
        [ "${pid:-0}" -gt 0 ] || die service "nginx does not run here"
        say fault "$1" "$(date +%s.%N)"
        kill -s KILL "$pid"
        ;;
    *) die protocol "no such fault: $1" ;;
    esac
    finish
}
