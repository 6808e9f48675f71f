#!/bin/bash
# bad: HV009 (while kill -0), HV011
if [ "$2" = "pre-stop" ]; then
  pid=$(cat /run/worker.pid)
  kill $pid
  while kill -0 $pid 2>/dev/null; do sleep 0.5; done
fi
if [ "$2" = "post-start" ]; then
  tail -F /var/log/vm-$1.log | logger -t vm &
fi
exit 0
