#!/bin/sh
# DNAT for one container. Rules are removed before they are added, so nothing piles up.
set -e

CT=$1
PHASE=$2
IP=10.10.10.5

rules() {
    action=$1
    iptables -t nat "$action" PREROUTING -i vmbr0 -p tcp --dport 8443 -j DNAT --to "$IP:443"
    iptables -t nat "$action" POSTROUTING -s "$IP" -o vmbr0 -j MASQUERADE
}

case "$PHASE" in
pre-start)
    rules -D 2>/dev/null || true
    rules -A
    ;;
post-stop)
    rules -D 2>/dev/null || :
    ;;
*)  ;;
esac

logger -t nat-hook "CT $CT: $PHASE done"
