#!/usr/bin/perl
# A hookscript in Perl: a table of the four phases.
#
# Copy it to a storage that allows snippets, make it executable, and set it:
#   qm set 100 --hookscript local:snippets/four-phases.pl
use strict;
use warnings;

# Lines appear in the record in the order in which they are written, not when a buffer is full.
$| = 1;

my %on = (
    # The guest does not run yet. Dying here keeps it from starting.
    'pre-start' => sub { my ($guest) = @_; print "guest $guest is about to start\n" },

    # The guest runs. From here on a failure is only a warning.
    'post-start' => sub { my ($guest) = @_; print "guest $guest has started\n" },

    # The guest still runs. Not called when the guest ends by itself.
    'pre-stop' => sub { my ($guest) = @_; print "guest $guest is about to stop\n" },

    # The guest is gone, whatever ended it. Give back here what pre-start took.
    'post-stop' => sub {
        my ($guest) = @_;
        my $cause = $ENV{HOOKVISOR_STOP_CAUSE};
        print "guest $guest has stopped", defined $cause ? " ($cause)" : '', "\n";
    },
);

my ($vmid, $phase) = @ARGV;
if (@ARGV != 2 || !exists $on{$phase}) {
    print STDERR "usage: $0 VMID PHASE, not @ARGV\n";
    exit 64;
}
$on{$phase}->($vmid);
