#!/bin/bash
# Register the guest in PowerDNS after it has got an address.
set -uo pipefail
. /etc/pdns-hook/env

vmid="$1"; phase="$2"

get_ip() {
    qm guest cmd "$vmid" network-get-interfaces 2>/dev/null |
        jq -r '.[] | select(.name != "lo") | .["ip-addresses"][]? | select(."ip-address-type" == "ipv4") | ."ip-address"' |
        head -n1
}

register() {
    local ip="" attempt
    for attempt in $(seq 1 30); do
        ip=$(get_ip)
        [ -n "$ip" ] && break
        sleep 10
    done
    [ -n "$ip" ] || { logger -t dns-hook "no address for $vmid"; return 0; }
    curl -fsS --max-time 10 -X PATCH -H "X-API-Key: $PDNS_KEY" -d "{\"ip\":\"$ip\"}" "$PDNS_URL" || true
}

case $phase in
    post-start)
        systemd-run --no-block --collect --unit="dns-$vmid" "$0" "$vmid" register
        ;;
    register) register ;;
    post-stop)
        curl -fsS --max-time 10 -X DELETE -H "X-API-Key: $PDNS_KEY" "$PDNS_URL/$vmid" || true
        ;;
esac
exit 0
