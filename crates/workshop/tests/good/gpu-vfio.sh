#!/usr/bin/env bash
# Hand the GPU over to vfio-pci and back.
set -euo pipefail

readonly VMID="$1"
readonly PHASE="$2"
readonly DEVICES=(0000:01:00.0 0000:01:00.1)
STATE="/run/gpu-hook/${VMID}"

log() {
    logger -t "gpu-hook[$VMID]" -- "$*"
    echo "$*"
}

bind_to() {
    local dev=$1 driver=$2
    local path="/sys/bus/pci/devices/$dev"
    if [[ -e "$path/driver" ]]; then
        local current
        current=$(basename "$(readlink "$path/driver")")
        [[ "$current" == "$driver" ]] && return 0
        echo "$dev" > "$path/driver/unbind"
    fi
    echo "$driver" > "$path/driver_override"
    echo "$dev" > /sys/bus/pci/drivers_probe
}

main() {
    case "$PHASE" in
        pre-start)
            mkdir -p "${STATE%/*}"
            modprobe vfio-pci
            for dev in "${DEVICES[@]}"; do
                bind_to "$dev" vfio-pci
            done
            echo bound > "$STATE"
            ;;
        post-start|pre-stop)
            : # nothing to do
            ;;
        post-stop)
            for dev in "${DEVICES[@]}"; do
                bind_to "$dev" amdgpu || log "could not give $dev back"
            done
            rm -f "$STATE"
            ;;
        *)
            log "unknown phase $PHASE ignored"
            ;;
    esac
}

main "$@"
