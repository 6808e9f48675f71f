#!/usr/bin/env python3
import sys

vmid, phase = sys.argv[1], sys.argv[2]
match phase:
    case "pre-sart":
        print(f"{vmid}: before")
    case "postsotp":
        print(f"{vmid}: after")
