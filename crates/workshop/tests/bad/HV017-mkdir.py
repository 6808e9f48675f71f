#!/usr/bin/env python3
import os
import shutil
import sys

vmid, phase = sys.argv[1:3]
work = f"/run/virtiofs-{vmid}"
if phase == "pre-start":
    os.mkdir(work)
elif phase == "post-stop":
    shutil.rmtree(work)
