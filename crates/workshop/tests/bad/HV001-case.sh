#!/bin/bash
# modelled on a Firestore status hook: never fires
PHASE="$1"
VMID="$2"
case "$PHASE" in
  pre-start) curl -s --max-time 5 "http://localhost:9000/status?vm=$VMID&s=starting" ;;
  post-stop) curl -s --max-time 5 "http://localhost:9000/status?vm=$VMID&s=stopped" ;;
esac
exit 0
