#!/bin/sh
case $2 in
pre-sart) echo "$1: before" ;;
post-stop) echo "$1: after" ;;
esac
