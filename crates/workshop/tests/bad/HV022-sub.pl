#!/usr/bin/perl
use strict;
use warnings;

my ($vmid, $phase) = @ARGV;

sub release_gpu {
    print "given back\n";
}

if ($phase eq 'post-stop') {
    relase_gpu();
}
exit(0);
