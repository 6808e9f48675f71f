#!/bin/bash
# Other guests: the database first, never together with the trainer.
VMID="$1"
PHASE="$2"
NEEDS="101 102"
CONFLICTS="200"

running() { qm status "$1" 2>/dev/null | grep -q 'status: running'; }

pre_start() {
  local other
  for other in $CONFLICTS; do
    if running "$other"; then
      echo "guest $other runs, $VMID cannot"
      return 1
    fi
  done
  for other in $NEEDS; do
    running "$other" || qm start "$other"
  done
  return 0
}

post_stop() {
  for other in $NEEDS; do
    running "$other" && qm shutdown "$other" --timeout 60
  done
  return 0
}

fn="${PHASE//-/_}"
if declare -F "$fn" >/dev/null; then
  "$fn"
  exit $?
fi
exit 0
