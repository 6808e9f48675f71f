#!/bin/bash
if [ "$2" = post-start ]; then
    ecoh "guest $1 has started" >>/var/log/guests.log
fi
exit 0
