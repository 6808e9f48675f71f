#!/bin/bash
# restarts a helper for the container
if [ "$1" = "post-start" ]; then
    systemctl restart lldpd
elif [ "$1" = "pre-stop" ]; then
    systemctl stop lldpd
fi
