#!/bin/bash
# HV014 with += at zero
set -eu
errors=0
check() { [ -e "$1" ] || ((errors++)); }
case $2 in
  pre-start) check /dev/kvm; check /dev/vfio/vfio; [ $errors -eq 0 ] || exit 1 ;;
esac
exit 0
