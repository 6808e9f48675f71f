#!/usr/bin/env bash
# Both orders are understood
if [[ $1 =~ ^[0-9]+$ ]]; then VMID=$1 PHASE=$2; else VMID=$2 PHASE=$1; fi
case $PHASE in pre-start|post-start|pre-stop|post-stop) logger "$VMID $PHASE";; esac
