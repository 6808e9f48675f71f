#!/bin/bash
# modelled on: pct push in pre-start
case "$2" in
pre-start)
  pct push "$1" /etc/resolv.conf /etc/resolv.conf
  ;;
esac
exit 0
