#!/usr/bin/env python3
import enum
import os
import sys
import subprocess


class Phase(str, enum.Enum):
    PRE_START = "pre-start"
    POST_START = "post-start"
    PRE_STOP = "pre-stop"
    POST_STOP = "post-stop"


class Hook:
    cores = "2-5"

    def __init__(self, vmid):
        self.vmid = vmid

    @property
    def pid(self):
        with open(f"/run/qemu-server/{self.vmid}.pid") as handle:
            return handle.read().strip()

    def post_start(self):
        subprocess.check_call(["taskset", "-a", "-p", "-c", self.cores, self.pid])
        with open(f"/proc/{self.pid}/oom_score_adj", "w") as handle:
            handle.write("-800")

    def post_stop(self):
        subprocess.call(["systemctl", "set-property", "--runtime", "--", "system.slice", "AllowedCPUs="])

    def handle(self, phase):
        method = getattr(self, phase.name.lower() if False else phase.value.replace("-", "_"), None)
        if method:
            method()


def main():
    if len(sys.argv) != 3:
        raise SystemExit(f"usage: {sys.argv[0]} VMID PHASE")
    _, vmid, name = sys.argv
    try:
        phase = Phase(name)
    except ValueError:
        print(f"phase {name} is not known here")
        return
    Hook(vmid).handle(phase)


main()
