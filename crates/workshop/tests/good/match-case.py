#!/usr/bin/env python3
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time


def free_mib() -> int:
    with open("/proc/meminfo") as info:
        for line in info:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return 0


def wait_mounted(path: str, tries: int = 24) -> bool:
    for _ in range(tries):
        if os.path.ismount(path):
            return True
        time.sleep(5)
    return False


vmid, phase = sys.argv[1:3]
match phase:
    case "pre-start":
        if not wait_mounted("/mnt/pve/nfs"):
            sys.exit("storage is not mounted")
        if free_mib() < 4096:
            print("not enough memory", file=sys.stderr)
            sys.exit(1)
    case "post-start" | "pre-stop":
        pass
    case "post-stop":
        shutil.rmtree(f"/run/scratch/{vmid}", ignore_errors=True)
    case _:
        pass
