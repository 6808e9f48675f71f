#!/usr/bin/perl
use strict; use warnings;
my $phase = shift;
my $vmid = shift;
if ($phase eq 'pre-start') {
    print "starting $vmid\n";
} elsif ($phase eq 'post-stop') {
    print "stopped $vmid\n";
}
exit 0;
