#!/usr/bin/env python3
import os
import sys

vmid = sys.argv[1]
if sys.argv[2] == "post-stop":
    os.system(f"qm start {vmid}")
