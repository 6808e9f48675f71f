#!/usr/bin/env python3
import subprocess
import sys


def pre_start(vmid):
    subprocess.run(["modprobe", "kvmgt"])
    return True


def main():
    vmid, phase = sys.argv[1], sys.argv[2]
    if phase == "pre-start":
        sys.exit(pre_start(vmid))
    sys.exit(0)


main()
