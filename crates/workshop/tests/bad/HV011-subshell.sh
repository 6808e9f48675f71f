#!/bin/bash
# modelled on: "run a few seconds after post-start so the CT is unlocked"
if [ "$2" = "post-start" ]; then
    ( sleep 5; pct exec $1 -- systemctl restart nginx ) &
fi
exit 0
