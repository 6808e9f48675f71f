#!/bin/bash
set -e
# The work is Python's; this only hands over.
python3 - "$@" <<'PY'
import json, sys
vmid, phase = sys.argv[1:3]
if phase == "post-stop":
    with open("/var/log/guests.jsonl", "a") as log:
        log.write(json.dumps({"vmid": vmid, "phase": phase}) + "\n")
PY
