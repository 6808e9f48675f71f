#!/usr/bin/env python3
import subprocess
import sys

vmid = sys.argv[1]
if sys.argv[2] == "pre_start":
    subprocess.call(["modprobe", "vhost_vsock"])
elif sys.argv[2] == "post_stop":
    subprocess.call(["modprobe", "-r", "vhost_vsock"])
