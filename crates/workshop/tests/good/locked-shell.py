#!/usr/bin/env python3
import sys, os, time, subprocess, logging, signal
from contextlib import contextmanager
logging.basicConfig(filename="/var/log/x.log", level=logging.INFO, format="%(asctime)s %(message)s")
VMID, PHASE = sys.argv[1], sys.argv[2]
@contextmanager
def lock(path):
    import fcntl
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)
def sh(cmd, check=True):
    logging.info("run %s", cmd)
    r = subprocess.run(cmd, shell=True, capture_output=True, text=True)
    if check and r.returncode:
        raise RuntimeError(r.stderr)
    return r.stdout
def wait_for(fn, timeout=30):
    end = time.time() + timeout
    while not fn():
        if time.time() > end:
            raise TimeoutError
        time.sleep(0.5)
try:
    with lock("/run/lock/x"):
        if PHASE == "pre-start":
            sh("modprobe vfio-pci")
            wait_for(lambda: os.path.exists("/dev/vfio/vfio"))
        elif PHASE == "post-stop":
            sh("modprobe -r vfio-pci", check=False)
except Exception as e:
    logging.exception("failed")
    sys.exit(1 if PHASE == "pre-start" else 0)
