#!/bin/bash
# Also for trials by hand: -n does nothing, -v tells more.
dry=0 verbose=0
while getopts "nv" opt; do
  case $opt in
    n) dry=1 ;;
    v) verbose=1 ;;
    *) exit 64 ;;
  esac
done
shift $((OPTIND - 1))
vmid=$1 phase=$2
run() {
  if [ "$verbose" = 1 ]; then echo "+ $*"; fi
  if [ "$dry" = 0 ]; then "$@"; fi
}
case $phase in
  pre-start) run modprobe vhost_vsock ;;
  post-start) run renice -n -5 -p "$(cat /run/qemu-server/"$vmid".pid)" ;;
  pre-stop|post-stop) ;;
esac
exit 0
