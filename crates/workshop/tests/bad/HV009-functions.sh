#!/bin/bash
# HV009 via function + HV006 via set -e
set -e
is_up() { ping -c1 -W1 "$1" >/dev/null 2>&1; }
wait_up() { until is_up "$1"; do sleep 1; done; }
[[ "$2" == "pre-start" ]]
wait_up nas
