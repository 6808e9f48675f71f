#!/bin/bash
# HV011 nohup w/o redirect, HV010 pct
case "$2" in
post-start) nohup /opt/x/agent.sh $1 & ;;
pre-stop) pct set $1 -onboot 0 ;;
esac
