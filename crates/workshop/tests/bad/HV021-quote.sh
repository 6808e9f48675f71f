#!/bin/bash
if [ "$2" = post-start ]; then
    logger "guest $1 is up
fi
exit 0
