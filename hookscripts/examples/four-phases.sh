#!/bin/sh
# A hookscript in POSIX shell: what to do in each of the four phases.
#
# Copy it to a storage that allows snippets, make it executable, and set it:
#   qm set 100 --hookscript local:snippets/four-phases.sh
set -eu

vmid=$1
phase=$2

case $phase in
pre-start)
    # The guest does not run yet. A non-zero exit here keeps it from starting.
    echo "guest $vmid is about to start"
    ;;
post-start)
    # The guest runs. From here on a failure is only a warning.
    echo "guest $vmid has started"
    ;;
pre-stop)
    # The guest still runs. Only called when somebody asks for the stop, not when the guest ends by itself.
    echo "guest $vmid is about to stop"
    ;;
post-stop)
    # The guest is gone, whatever ended it. Give back here what pre-start took.
    echo "guest $vmid has stopped${HOOKVISOR_STOP_CAUSE:+ ($HOOKVISOR_STOP_CAUSE)}"
    ;;
*)
    echo "$0: unknown phase '$phase'" >&2
    exit 64
    ;;
esac
