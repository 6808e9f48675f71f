#!/usr/bin/env python3
# HV015? HV007 by exception; HV009 by while True
import os, sys, time, subprocess
vmid = sys.argv[1]; phase = sys.argv[2]
def wait_agent():
    while True:
        r = subprocess.run(["qm", "agent", vmid, "ping"], capture_output=True)
        if r.returncode == 0:
            return
        time.sleep(2)
if phase == "post-start":
    wait_agent()
elif phase == "pre-start":
    raise Exception("never")
