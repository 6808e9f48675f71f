#!/usr/bin/perl

# Exmple hook script for PVE guests (hookscript config option)

use strict;
use warnings;

print "GUEST HOOK: " . join(' ', @ARGV) . "\n";

# First argument is the vmid
my $vmid = shift;

# Second argument is the phase
my $phase = shift;

if ($phase eq 'pre-start') {

    # A non-zero exit here keeps the guest from starting.
    print "$vmid is starting, doing preparations.\n";

} elsif ($phase eq 'post-start') {

    print "$vmid started successfully.\n";

} elsif ($phase eq 'pre-stop') {

    print "$vmid will be stopped.\n";

} elsif ($phase eq 'post-stop') {

    print "$vmid stopped. Doing cleanup.\n";

} else {
    warn "unknown phase '$phase'\n";
}

exit(0);
