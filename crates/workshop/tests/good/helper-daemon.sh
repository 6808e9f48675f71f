#!/bin/bash
# flags: a second run
PIDFILE=/run/helper-$1.pid
start_helper() {
  [ -f "$PIDFILE" ] && kill "$(cat "$PIDFILE")" 2>/dev/null
  setsid nohup /usr/local/bin/helper --guest "$1" </dev/null &>/dev/null &
  echo $! > "$PIDFILE"
}
stop_helper() { [ -f "$PIDFILE" ] || return 0; kill "$(cat "$PIDFILE")"; rm -f "$PIDFILE"; }
if [[ "$2" == "pre-start" ]]; then start_helper "$1"; fi
if [[ "$2" == "post-stop" ]]; then stop_helper; fi
exit 0
