#!/bin/bash
case "$2" in
  post-start)
    /usr/local/bin/agent-watcher "$1" &
    ;;
  post-stop) pkill -f "agent-watcher $1" ;;
esac
exit 0
