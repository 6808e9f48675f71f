#!/usr/bin/env python3
import sys
from subprocess import run

vmid, phase = sys.argv[1:3]
if phase == "pre-start":
    run(["mount", "/dev/tank/share", "/mnt/share"])
elif phase == "pre-stop":
    run(["umount", "/mnt/share"])
