#!/bin/sh
set -e
[ "$2" = pre-start ] || exit 0
brctl addbr lab0
ip link set lab0 up
