#!/bin/bash
# HV001 through a function
handle() { local phase="$1" id="$2"; case "$phase" in pre-start) echo "$id";; post-stop) echo bye;; esac; }
handle "$1" "$2"
