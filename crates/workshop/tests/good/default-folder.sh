#!/bin/bash
# Keeps a mark of the guest below a folder that the environment may set.
set -eu
vmid=$1 phase=$2
case $phase in
pre-start)
    state=${RUN:-/run}/$vmid.state
    date >"/tmp/${state##*/}"
    ;;
post-stop)
    state=${RUN:-/run}/$vmid.state
    rm -f "/tmp/${state##*/}"
    ;;
esac
