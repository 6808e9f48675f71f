#!/usr/bin/env python3
# HV006 by dict lookup
import sys
def start(v): print(v)
{"post-start": start}[sys.argv[2]](sys.argv[1])
