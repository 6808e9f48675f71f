#!/usr/bin/env python3
# HV001 by argparse order; HV011
import argparse, subprocess
p = argparse.ArgumentParser()
p.add_argument("phase", choices=["pre-start", "post-start", "pre-stop", "post-stop"])
p.add_argument("vmid")
a = p.parse_args()
if a.phase == "post-start":
    subprocess.Popen("watch.sh %s" % a.vmid, shell=True)
