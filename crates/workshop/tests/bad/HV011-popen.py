#!/usr/bin/env python3
import subprocess
import sys

vmid, phase = sys.argv[1], sys.argv[2]
if phase == "post-start":
    subprocess.Popen(["/opt/hooks/vm-restart.sh", vmid])
