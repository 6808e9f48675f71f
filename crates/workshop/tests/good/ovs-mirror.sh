#!/bin/bash
# good: pinning w/ python heredoc, cgroup etc. ovs mirror cleaned first
vmid=${1}
phase=${2}
br=vmbr1
clear_mirror() { ovs-vsctl -- --id=@b get bridge $br -- clear bridge $br mirrors 2>/dev/null; }
[ "$phase" == "post-start" ] && {
  clear_mirror
  port="tap${vmid}i1"
  ovs-vsctl -- --id=@p get port "$port" -- --id=@m create mirror name=span select-all=true output-port=@p -- set bridge $br mirrors=@m
}
[ "$phase" == "post-stop" ] && clear_mirror
:
