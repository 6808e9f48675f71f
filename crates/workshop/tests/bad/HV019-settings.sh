#!/bin/sh
# hookvisor: timeut=30s
echo "$1 $2"
