#!/usr/bin/env python3
"""A hookscript in Python: a function for each of the four phases.

Copy it to a storage that allows snippets, make it executable, and set it:
  qm set 100 --hookscript local:snippets/four-phases.py
"""

import os
import sys


def pre_start(vmid: int) -> None:
    """The guest does not run yet. An exception here keeps it from starting."""
    print(f"guest {vmid} is about to start")


def post_start(vmid: int) -> None:
    """The guest runs. From here on a failure is only a warning."""
    print(f"guest {vmid} has started")


def pre_stop(vmid: int) -> None:
    """The guest still runs. Not called when the guest ends by itself."""
    print(f"guest {vmid} is about to stop")


def post_stop(vmid: int) -> None:
    """The guest is gone, whatever ended it. Give back here what pre_start took."""
    cause = os.environ.get("HOOKVISOR_STOP_CAUSE")
    print(f"guest {vmid} has stopped" + (f" ({cause})" if cause else ""))


PHASES = {
    "pre-start": pre_start,
    "post-start": post_start,
    "pre-stop": pre_stop,
    "post-stop": post_stop,
}


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[2] not in PHASES:
        print(f"usage: {sys.argv[0]} VMID {'|'.join(PHASES)}, not {sys.argv[1:]}", file=sys.stderr)
        return 64
    PHASES[sys.argv[2]](int(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
