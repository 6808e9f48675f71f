#!/bin/bash
# bad: HV015: typo, HV005: "post_start"
VMID=$1
PHASE=$2
if [[ $PHASE == "post_start" ]]; then
  echo "vm $VMDI" | mail -s hi root
fi
[[ $PHASE == "pre-stop" ]] && rm -rf "/srv/scratch/$WORKDIR"
exit 0
