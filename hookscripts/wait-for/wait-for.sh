#!/bin/bash
# Lets the guest start only once what it relies on is there: mounts, hosts, ports, storages, agents of other guests.
#
# hookvisor: phases=pre-start
# hookvisor: params=wait_mount=,wait_storage=,wait_host=,wait_port=,wait_agent=,wait_limit=60
#
# Each is a list with blanks; each of its items may end with a limit of its own in seconds, as in nas:2049@300.
set -u

if (($# != 2)) || ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 VMID PHASE" >&2
    exit 64
fi
vmid=$1 phase=$2
[[ $phase == pre-start ]] || exit 0

root=${HOOKVISOR_ROOT:-}
root=${root%/}
# hookvisor calls, and not Proxmox VE: it reads priorities, and has read the settings.
readonly told=${HOOKVISOR_RUN_ID-}
# No single look takes longer, in seconds.
readonly look=5

refuse() {
    echo "${told:+<3>}wait-for: guest $vmid is not started: $1" >&2
    exit 1
}

# --- settings --------------------------------------------------------------------------------------------------------

declare -A given=()

# Takes NAME=VALUE,NAME="VALUE, WITH COMMAS".
take() {
    local rest=$1 pair='^[[:space:],]*([a-z][a-z0-9_]*)[[:space:]]*=[[:space:]]*("([^"]*)"|([^",]*))(.*)$'
    while [[ $rest =~ $pair ]]; do
        given[${BASH_REMATCH[1]}]=${BASH_REMATCH[3]}${BASH_REMATCH[4]}
        rest=${BASH_REMATCH[5]}
    done
}

# What hookvisor reads for its scripts, read here where Proxmox VE calls: this file's header, then hooks.conf.
read_settings() {
    local line section wanted conf=$root/etc/hookvisor/hooks.conf mode
    local header='^#[[:space:]]*hookvisor:[[:space:]]*params=(.*)$'
    local heading='^[[:space:]]*\[([^]]*)\]' params='^[[:space:]]*params[[:space:]]*=(.*)$'
    while IFS= read -r line; do
        [[ $line =~ $header ]] && take "${BASH_REMATCH[1]}"
    done < <(head -n 64 -- "$0")
    [[ -e $conf ]] || return 0
    mode=$(stat -L -c '%u %a' -- "$conf") || refuse "'$conf' cannot be read"
    [[ $mode =~ ^0\ [0-7]*[0145][0145]$ ]] || refuse "'$conf' is refused: others than root may write to it"
    for wanted in host "guest $vmid"; do
        section=
        while IFS= read -r line; do
            if [[ $line =~ $heading ]]; then
                section=${BASH_REMATCH[1]}
            elif [[ $section == "$wanted" && $line =~ $params ]]; then
                take "${BASH_REMATCH[1]}"
            fi
        done <"$conf"
    done
}

setting() {
    local variable=HOOKVISOR_PARAM_${1^^}
    if [[ -n $told ]]; then
        printf '%s' "${!variable-}"
    else
        printf '%s' "${given[$1]-}"
    fi
}

# --- looking ---------------------------------------------------------------------------------------------------------

# What the last look heard, and its last line.
heard='' said=''

# Runs a command that may hang, even in the kernel where no signal reaches it: it is killed then, and not waited for.
within() {
    local seconds=$1 line outcome='' answers
    shift
    heard='' said=''
    exec {answers}< <(
        # What stays behind holds none of the script's own outputs.
        exec </dev/null 2>&1
        timeout -s KILL "$seconds" "$@"
        printf '\nexit %s\n' $?
    )
    while IFS= read -r -t "$((seconds + 2))" -u "$answers" line; do
        if [[ $line == "exit "* ]]; then
            outcome=${line#exit }
            break
        fi
        heard+=$line$'\n'
        [[ -z ${line//[[:space:]]/} ]] || said=$line
    done
    exec {answers}<&-
    case $outcome in
    0) return 0 ;;
    '' | 124 | 137) said="no answer within $seconds s" ;;
    127) refuse "$said" ;;
    *) said=${said:-"exit code $outcome"} ;;
    esac
    return 1
}

# /mnt/nas is mounted and answers; /mnt/nas:marker has that file, too.
is_mount() {
    local path=${1%%:*} marker=
    [[ $1 != *:* ]] || marker=${1#*:}
    within "$2" mountpoint -q -- "$path" || {
        [[ $said == "no answer"* ]] || said="nothing is mounted there"
        return 1
    }
    within "$2" stat -- "$path/$marker" || return 1
}

is_host() {
    within "$2" ping -n -q -c 1 -W "$2" -- "$1" || {
        [[ $said != *" packet loss,"* ]] || said="no answer to ping"
        return 1
    }
}

is_port() {
    local host=${1%:*} port=${1##*:}
    host=$(tr -d '[]' <<<"$host")
    # shellcheck disable=SC2016 # the inner shell's arguments
    within "$2" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" || {
        said=${said##*: }
        return 1
    }
}

is_storage() {
    local id status
    within "$((2 * $2))" pvesm status --storage "$1" || {
        [[ $heard != *"No such storage"* && $heard != *"does not exist"* ]] || refuse "no storage is called '$1'"
        return 1
    }
    read -r id _ status _ <<<"$said"
    [[ $id == "$1" && $status != disabled ]] || refuse "the storage '$1' is disabled, or not for this node"
    [[ $status == active ]] || {
        said="it is $status"
        return 1
    }
}

# The agent of another guest, by its number.
is_agent() {
    [[ -e $root/etc/pve/qemu-server/$1.conf ]] || refuse "no virtual machine $1 is on this node, to wait for its agent"
    within "$((2 * $2))" qm guest cmd "$1" ping
}

# --- waiting ---------------------------------------------------------------------------------------------------------

# Looks until it is so: the kind, its name in a sentence, the item with its limit.
await() {
    local kind=$1 what=$2 item=$3 limit=$default began=$SECONDS left announced=
    if [[ $item =~ ^(.+)@([0-9]+)$ ]]; then
        item=${BASH_REMATCH[1]} limit=${BASH_REMATCH[2]}
        [[ $limit =~ ^[1-9][0-9]*$ && ${#limit} -le 6 ]] || refuse "'$limit' is no number of seconds"
    fi
    while :; do
        left=$((limit - (SECONDS - began)))
        ((left < look)) || left=$look
        ((left >= 1)) || left=1
        if "is_$kind" "$item" "$left"; then
            echo "wait-for: $what $item is there${announced:+ after $((SECONDS - began)) s}"
            return 0
        fi
        ((SECONDS - began < limit)) || refuse "$what $item is not there after $limit s: $said"
        [[ -n $announced ]] || echo "wait-for: waits for $what $item, at most $limit s: $said"
        announced=yes
        sleep 1
    done
}

[[ -n $told ]] || read_settings
default=$(setting wait_limit)
default=${default:-60}
[[ $default =~ ^[1-9][0-9]*$ && ${#default} -le 6 ]] || refuse "wait_limit is '$default', which is no number of seconds"

read -ra mounts <<<"$(setting wait_mount)"
read -ra storages <<<"$(setting wait_storage)"
read -ra hosts <<<"$(setting wait_host)"
read -ra ports <<<"$(setting wait_port)"
read -ra agents <<<"$(setting wait_agent)"

# What can never be is refused before anything is waited for.
for item in "${mounts[@]}"; do
    [[ $item == /* ]] || refuse "wait_mount has '$item', which is no absolute path"
done
for item in "${ports[@]}"; do
    [[ $item =~ ^[^-].*:[0-9]+(@[0-9]+)?$ ]] || refuse "wait_port has '$item', which is not HOST:PORT"
done
for item in "${hosts[@]}" "${storages[@]}"; do
    [[ $item =~ ^[A-Za-z0-9:][A-Za-z0-9._:%-]*(@[0-9]+)?$ ]] || refuse "'$item' is no name of a host or storage"
done
for item in "${storages[@]}"; do
    # 'local' is there without being defined.
    id=${item%@*}
    defined="^[a-z]+:[[:space:]]*${id//./\\.}[[:space:]]*\$"
    [[ $id == local ]] || grep -qE "$defined" "$root/etc/pve/storage.cfg" || refuse "no storage is called '$id'"
done
for item in "${agents[@]}"; do
    [[ $item =~ ^[1-9][0-9]*(@[0-9]+)?$ ]] || refuse "wait_agent has '$item', which is no VMID"
    [[ ${item%@*} != "$vmid" ]] || refuse "wait_agent has the guest itself, which does not run yet"
done

for item in "${mounts[@]}"; do await mount "the mount" "$item"; done
for item in "${storages[@]}"; do await storage "the storage" "$item"; done
for item in "${hosts[@]}"; do await host "the host" "$item"; done
for item in "${ports[@]}"; do await port "the port" "$item"; done
for item in "${agents[@]}"; do await agent "the agent of guest" "$item"; done
exit 0
