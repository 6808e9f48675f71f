#!/bin/bash
vmid=$1
if [ "$2" = pre-start ]; then
    iptables -t nat -A PREROUTING -i vmbr0 -p tcp --dport 8443 -j DNAT --to 10.10.10.5:443
elif [ "$2" = post-stop ]; then
    iptables -t nat -D PREROUTING -i vmbr0 -p tcp --dport 8443 -j DNAT --to 10.10.10.5:443
fi
exit 0
