#!/usr/bin/env python3
# hookvisor: timeout=2m
"""four-phases: what it is for, in a sentence.

Called with the guest's VMID and the phase. In pre-start a non-zero exit keeps the guest from starting; in the other
phases it is a warning. Each phase is a process of its own: what one has to know of another goes into a file in /run.

The line above is what hookvisor reads of it; Proxmox VE passes it over. See the book on settings in a script.
"""

import os
import sys


def pre_start(vmid: int) -> None:
    """The guest does not run yet. Take here what it needs, in a way that may be done twice."""
    print(f"guest {vmid} is about to start")


def post_start(vmid: int) -> None:
    """QEMU or the container's init runs. What is in the guest may need a while: there is agent-up, see the book."""
    print(f"guest {vmid} has started")


def pre_stop(vmid: int) -> None:
    """Only when somebody asked for the stop: not when the guest powers itself off or crashes."""
    print(f"guest {vmid} is about to stop")


def post_stop(vmid: int) -> None:
    """The guest is gone, whatever ended it. Give back here what pre_start took, also where it took only a part."""
    cause = os.environ.get("HOOKVISOR_STOP_CAUSE")
    print(f"guest {vmid} has stopped" + (f", because of {cause}" if cause else ""))


PHASES = {
    "pre-start": pre_start,
    "post-start": post_start,
    "pre-stop": pre_stop,
    "post-stop": post_stop,
}


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: {sys.argv[0]} VMID PHASE", file=sys.stderr)
        return 64
    handler = PHASES.get(sys.argv[2])
    if handler is not None:  # A phase that there may be one day is no failure.
        handler(int(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
