#!/usr/bin/perl
my ($vmid, $phase) = @ARGV;
if ($phase eq 'start') { print "up\n"; }
if ($phase eq 'stop') { print "down\n"; }
exit 0;
