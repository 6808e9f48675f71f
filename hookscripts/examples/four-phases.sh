#!/usr/bin/env bash
# four-phases: what it is for, in a sentence.
#
# Called with the guest's VMID and the phase. In pre-start a non-zero exit keeps the guest from starting; in the other
# phases it is a warning. Each phase is a process of its own: what one has to know of another goes into a file in /run.
#
# What hookvisor reads of it; Proxmox VE passes it over. See the book on settings in a script.
# hookvisor: timeout=2m
set -euo pipefail

pre_start() {
    # The guest does not run yet. Take here what it needs, in a way that may be done twice.
    echo "guest $1 is about to start"
}

post_start() {
    # QEMU or the container's init runs; what is in the guest may need a while. For that there is agent-up, see the book.
    echo "guest $1 has started"
}

pre_stop() {
    # Only when somebody asked for the stop: not when the guest powers itself off or crashes.
    echo "guest $1 is about to stop"
}

post_stop() {
    # The guest is gone, whatever ended it. Give back here what pre_start took, also where it took only a part.
    echo "guest $1 has stopped${HOOKVISOR_STOP_CAUSE:+, because of $HOOKVISOR_STOP_CAUSE}"
}

main() {
    local vmid=$1 phase=$2
    case $phase in
    pre-start) pre_start "$vmid" ;;
    post-start) post_start "$vmid" ;;
    pre-stop) pre_stop "$vmid" ;;
    post-stop) post_stop "$vmid" ;;
    *) ;; # A phase that there may be one day.
    esac
}

main "$@"
