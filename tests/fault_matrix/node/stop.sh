#!/bin/sh
# stop.sh FOLDER STEP: a step of a change begins, or has ended. Notes it in FOLDER/log, and waits for as
# long as FOLDER/want names it. Steps that recur get numbers; those after the activation other names.
# Nothing is noted where nobody wants anything: that would take time from everybody.
gate=$1 step=$2
[ -e "$gate/want" ] || exit 0
touch "$gate/log"
case $step in
reach | announce) if grep -q ' activate$' "$gate/log"; then step="prove: $step"; fi ;;
observe) if grep -q ' activate$' "$gate/log"; then step=prove; fi ;;
connect) if grep -q ' connect$' "$gate/log"; then step='connect again'; fi ;;
esac
count=$(grep -c " $step\\( [0-9]*\\)*\$" "$gate/log")
[ "$count" -eq 0 ] || step="$step $((count + 1))"
printf '%s %s\n' "$(date +%s%N)" "$step" >>"$gate/log" 2>/dev/null
want=''
[ ! -f "$gate/want" ] || read -r want <"$gate/want"
[ "$want" = "$step" ] || exit 0
: >"$gate/at"
while [ -e "$gate/want" ]; do sleep 0.02; done
