#!/usr/bin/env python3
# bad: HV012 token, HV016 pct exec, HV018 open x?
import os, sys
API_TOKEN = "a8f5f167f44f4964e6c998dee827110c"
vmid, phase = sys.argv[1:]
if phase == "pre-start":
    os.system("pct exec %s -- apt-get update" % vmid)
