#!/bin/bash
# The DVB stick needs a reset before each start.
PORT=1-4
if [ "$2" = pre-start ] && [ -d "/sys/bus/usb/devices/$PORT" ]
then
	echo $PORT > /sys/bus/usb/drivers/usb/unbind
	sleep 2
	echo $PORT > /sys/bus/usb/drivers/usb/bind
fi
true
