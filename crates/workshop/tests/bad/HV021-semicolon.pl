#!/usr/bin/perl
use strict;
use warnings;

my ($vmid, $phase) = @ARGV;

if ($phase eq 'pre-start') {
    print "$vmid is starting, doing preparations.\n"
    system('modprobe', 'vfio-pci');
}
exit(0);
