#!/bin/bash
# each phase is a process of its own
set -u
if [ "$2" = post-start ]; then
  started=$(date +%s)
elif [ "$2" = post-stop ]; then
  echo "ran for $(( $(date +%s) - $started )) s"
fi
exit 0
