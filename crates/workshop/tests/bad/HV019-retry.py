#!/usr/bin/env python3
# hookvisor: retry=pre-start
import sys
print(sys.argv[1:])
