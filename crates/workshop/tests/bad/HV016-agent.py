#!/usr/bin/env python3
import subprocess
import sys

vmid, phase = sys.argv[1], sys.argv[2]
if phase == "pre-start":
    subprocess.run(["qm", "guest", "exec", vmid, "--", "systemctl", "start", "nginx"])
