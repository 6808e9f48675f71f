#!/usr/bin/env python3
import socket
import sys
import time


def up(host, port):
    try:
        socket.create_connection((host, port), timeout=2).close()
        return True
    except OSError:
        return False


if sys.argv[2] == "pre-start":
    while not up("10.0.0.5", 2049):
        time.sleep(3)
