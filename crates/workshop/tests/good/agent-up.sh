#!/bin/sh
# hookvisor: phases=pre-start,agent-up timeout=1m
case $2 in
pre-start) mkdir -p /run/rename ;;
agent-up) qm guest exec "$1" -- hostnamectl set-hostname "vm$1" >"/run/rename/$1" ;;
esac
exit 0
