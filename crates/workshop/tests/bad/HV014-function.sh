#!/usr/bin/env bash
set -euo pipefail
moved=0
move_irqs() {
  local irq
  for irq in 24 25 26; do
    echo 0-1 > "/proc/irq/$irq/smp_affinity_list"
    let moved++
  done
}
case "${2:-}" in
  post-start) move_irqs; echo "$moved moved" ;;
esac
exit 0
