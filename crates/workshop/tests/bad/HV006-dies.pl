#!/usr/bin/perl
# modelled on a hook that dies in every phase but one
use strict;
use warnings;
my ($vmid, $phase) = @ARGV;
die "unsupported phase $phase" unless $phase eq 'post-start';
system("chrt --fifo -a -p 1 `cat /var/run/qemu-server/$vmid.pid`");
