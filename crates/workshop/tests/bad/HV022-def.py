#!/usr/bin/env python3
import sys


def prepare_disks(vmid):
    print(f"disks of {vmid}")


def main():
    vmid, phase = sys.argv[1:3]
    if phase == "pre-start":
        perpare_disks(vmid)


main()
