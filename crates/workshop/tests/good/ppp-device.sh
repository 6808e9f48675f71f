#!/bin/sh -e
# The container wants /dev/ppp.
modprobe ppp_generic
if [ "x$2" = "xpre-start" ]; then
    if [ ! -c /dev/ppp ]; then
        mknod /dev/ppp c 108 0
    fi
    chown 100000:100000 /dev/ppp
fi
exit 0
