#!/usr/bin/perl
use strict;
use warnings;

my ($vmid, $phase) = @ARGV;
if ($phase eq 'post-stop') {
    if (-e "/run/gpu-$vmid") {
        unlink "/run/gpu-$vmid";
}
exit(0);
