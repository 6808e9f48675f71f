#!/bin/bash
if [ "$2" = "post-start" ]; then
  echo "root:Sup3rS3cret" | pct exec $1 -- chpasswd
fi
exit 0
