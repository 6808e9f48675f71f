#!/usr/bin/env python3
# bad: HV006 SystemExit in else, HV010 via pvesh
import subprocess, sys
def main(vmid, phase):
    if phase == "pre-start":
        subprocess.check_call(["pvesh", "create", f"/nodes/pve/qemu/{vmid}/status/stop"])
    elif phase == "post-start":
        return
    else:
        raise ValueError(f"bad phase {phase}")
main(*sys.argv[1:])
