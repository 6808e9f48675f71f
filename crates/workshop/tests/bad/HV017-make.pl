#!/usr/bin/perl
use strict; use warnings;
my ($vmid, $phase) = @ARGV;
# HV010, HV017, HV008
if ($phase eq 'pre-start') {
  mkdir "/run/vm-$vmid" or die "mkdir: $!";
  system("mount --bind /tank /run/vm-$vmid") == 0 or die;
}
if ($phase eq 'pre-stop') { system('umount', "/run/vm-$vmid"); rmdir "/run/vm-$vmid"; }
if ($phase eq 'post-start') { `qm set $vmid --description hi`; }
