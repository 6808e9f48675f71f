#!/usr/bin/env python3
import sys
import subprocess

vmid, phase = sys.argv[1:]
if phase == "pre-start":
    subprocess.run(["modprobe", "vfio-pci"])
elif phase == "post-stop":
    subprocess.run(["modprobe", "-r", "vfio-pci"])
else:
    print("unknown phase")
    sys.exit(1)
