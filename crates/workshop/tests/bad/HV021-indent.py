#!/usr/bin/env python3
import subprocess
import sys

vmid, phase = sys.argv[1], sys.argv[2]

if phase == "post-start":
subprocess.run(["logger", f"guest {vmid} is up"], check=False)
