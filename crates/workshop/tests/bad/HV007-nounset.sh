#!/bin/bash
set -eu
case "$2" in
  pre-start)
    echo "$1" > "$STATE_DIR/guest"
    ;;
  *) exit 0 ;;
esac
