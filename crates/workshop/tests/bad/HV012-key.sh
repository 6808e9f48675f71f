#!/bin/bash
# modelled on the PowerDNS hook
API_KEY="9f8e7d6c5b4a39281706"
API_URL="http://10.0.0.53:8081/api/v1"
if [ "$2" = post-start ]; then
  curl -s --max-time 5 -H "X-API-Key: $API_KEY" "$API_URL/servers" >/dev/null
fi
exit 0
