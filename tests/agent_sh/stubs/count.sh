# Read by every stub that changes something: where a test wants the program to be killed before its
# Nth step, this does it, with everything that the program started.
if [ -f /run/kill-at ]; then
    read -r hactl_at </run/kill-at
    read -r hactl_count </run/count
    hactl_count=$((hactl_count + 1))
    echo "$hactl_count" >/run/count
    if [ "$hactl_count" -eq "$hactl_at" ]; then
        # The count cannot tell: another program of the same pipeline may yet write a lower one.
        : >/run/killed
        kill -s KILL 0
    fi
fi
