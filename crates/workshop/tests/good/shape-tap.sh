#!/bin/bash
vmid="$1"; phase="$2"
function wait_for_tap() {
  local tap=$1
  for ((i=0; i<30; i++)); do
    [ -d /sys/class/net/$tap ] && return 0
    sleep 1
  done
  return 1
}
on_post_start() {
  wait_for_tap "tap${vmid}i0" || { logger "no tap"; return 0; }
  tc qdisc add dev "tap${vmid}i0" root tbf rate 100mbit burst 32kbit latency 400ms
}
on_pre_start() { :; }
on_pre_stop() { :; }
on_post_stop() { :; }
handler="on_${phase//-/_}"
if [ "$(type -t "$handler")" = function ]; then $handler; fi
