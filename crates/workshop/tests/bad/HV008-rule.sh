#!/bin/bash
# bad: HV008 (iptables -I in post-start, -D in pre-stop)
case $2 in
 post-start) iptables -I FORWARD -d 10.0.0.9 -j ACCEPT ;;
 pre-stop) iptables -D FORWARD -d 10.0.0.9 -j ACCEPT ;;
esac
exit 0
