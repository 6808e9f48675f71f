#!/usr/bin/python3
# Reports when a guest starts and stops.
import sys

if sys.argv[2] == "post-start":
    print "guest", sys.argv[1], "has started"
