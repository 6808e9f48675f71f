#!/bin/bash
# good: jq/heredoc/ssh, trap, tmpfile, if chain with "!"
if [ "$2" != "post-start" ] && [ "$2" != "post-stop" ]; then
    exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf -- "$tmp"' EXIT INT TERM
state=up; [ "$2" = post-stop ] && state=down
cat > "$tmp/body.json" <<-JSON
	{"vmid": $1, "state": "$state", "time": "$(date -u +%FT%TZ)"}
JSON
for i in 1 2 3; do
    if curl -sS --max-time 5 --data @"$tmp/body.json" http://collector/; then break; fi
    sleep $((i * 2))
done
ssh -o BatchMode=yes -o ConnectTimeout=5 router "ip neigh flush dev br0" || true
