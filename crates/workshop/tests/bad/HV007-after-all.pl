#!/usr/bin/perl
# bad: HV007, HV009
use strict;
my ($vmid, $phase) = @ARGV;
if ($phase eq 'pre-start') {
  while (1) {
    my $s = `pvesm status | grep nfs`;
    last if $s =~ /active/;
    sleep(5);
  }
  exit 1;
}
