#!/bin/bash
# restart unless somebody asked for the stop
FLAG=/run/hook-stop-$1
case $2 in
  pre-start) rm -f "$FLAG";;
  pre-stop) touch "$FLAG";;
  post-stop)
    if [ -e "$FLAG" ]; then
      rm -f "$FLAG"
    else
      nohup sh -c "sleep 10; qm start $1" >/dev/null 2>&1 &
    fi;;
esac
exit 0
