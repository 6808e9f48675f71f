#!/bin/bash
# A folder for the sockets of virtiofsd; its own status is that of the phase.
case "$2" in
pre-start)
    mkdir /run/virtiofsd-"$1"
    ;;
post-stop)
    rm -rf /run/virtiofsd-"$1"
    ;;
esac
