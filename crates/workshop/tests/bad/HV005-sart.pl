#!/usr/bin/perl
my ($vmid, $phase) = @ARGV;
if ($phase eq 'pre-start') { print "$vmid: before\n"; }
elsif ($phase eq 'psot-start') { print "$vmid: after\n"; }
exit(0);
