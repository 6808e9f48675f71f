#!/bin/sh
# qm set on another guest, start of another
case $2 in
 post-stop)
  qm set 105 --onboot 0
  qm start 105
  ;;
 pre-start)
  if qm status 105 | grep -q running; then qm shutdown 105 && qm wait 105 --timeout 60; fi
  ;;
esac
