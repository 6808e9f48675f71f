#!/bin/bash
# hookvisor: timeout=45s, phases=pre-start,post-stop
# hookvisor: params=host=10.0.0.7
set -u
host=${HOOKVISOR_PARAM_HOST:-10.0.0.7}
case $2 in
  pre-start) while ! ping -c1 -W2 "$host" >/dev/null 2>&1; do sleep 1; done ;;
  post-stop) echo "stopped because of ${HOOKVISOR_STOP_CAUSE:-?}" ;;
esac
exit 0
