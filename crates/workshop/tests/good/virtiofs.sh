#!/usr/bin/env bash
# One virtiofsd a share, in units of their own.
set -euo pipefail
vmid=$1 phase=$2

declare -A shares=(
    [media]=/tank/media
    [home]=/tank/home
)

start_all() {
    local tag
    for tag in "${!shares[@]}"; do
        systemctl stop "virtiofsd-$vmid-$tag.service" 2>/dev/null || true
        systemd-run --unit="virtiofsd-$vmid-$tag" --collect \
            /usr/libexec/virtiofsd --socket-path="/run/virtiofsd/$vmid-$tag.sock" --shared-dir="${shares[$tag]}"
    done
}

stop_all() {
    for tag in "${!shares[@]}"; do
        systemctl stop "virtiofsd-$vmid-$tag.service" || true
    done
}

case $phase in
    pre-start)
        install -d -m 0750 /run/virtiofsd
        start_all
        ;;
    post-stop) stop_all ;;
esac
exit 0
