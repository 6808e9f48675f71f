#!/bin/bash
set -e
if [ "$2" = pre-start ]; then
  ip link add "hook$1" type dummy
  ip link set "hook$1" up
elif [ "$2" = post-stop ]; then
  ip link del "hook$1"
fi
exit 0
