#!/bin/sh
set -e
[ "$2" = pre-start ] || exit 0
losetup /dev/loop7 /srv/images/data.raw
