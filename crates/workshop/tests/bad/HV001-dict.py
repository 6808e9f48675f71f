#!/usr/bin/env python3
import sys

def up(vmid): print("up", vmid)
def down(vmid): print("down", vmid)

actions = {"post-start": up, "post-stop": down}
phase, vmid = sys.argv[1], sys.argv[2]
if phase in actions:
    actions[phase](vmid)
