#!/usr/bin/perl
# four-phases: what it is for, in a sentence.
#
# Called with the guest's VMID and the phase. In pre-start a non-zero exit keeps the guest from starting; in the other
# phases it is a warning. Each phase is a process of its own: what one has to know of another goes into a file in /run.
#
# What hookvisor reads of it; Proxmox VE passes it over. See the book on settings in a script.
# hookvisor: timeout=2m
use strict;
use warnings;

# Lines are on record as they are written, not when a buffer is full.
$| = 1;

my %on = (
    # The guest does not run yet. Take here what it needs, in a way that may be done twice. 'die' keeps it from starting.
    'pre-start' => sub {
        my ($vmid) = @_;
        print "guest $vmid is about to start\n";
    },

    # QEMU or the container's init runs; what is in the guest may need a while. For that there is agent-up, see the book.
    'post-start' => sub {
        my ($vmid) = @_;
        print "guest $vmid has started\n";
    },

    # Only when somebody asked for the stop: not when the guest powers itself off or crashes.
    'pre-stop' => sub {
        my ($vmid) = @_;
        print "guest $vmid is about to stop\n";
    },

    # The guest is gone, whatever ended it. Give back here what pre-start took, also where it took only a part.
    'post-stop' => sub {
        my ($vmid) = @_;
        my $cause = $ENV{HOOKVISOR_STOP_CAUSE};
        print "guest $vmid has stopped", (defined $cause ? ", because of $cause" : ''), "\n";
    },
);

my ($vmid, $phase) = @ARGV;
die "usage: $0 VMID PHASE\n" if @ARGV != 2;

# A phase that there may be one day is no failure.
$on{$phase}->($vmid) if exists $on{$phase};
exit 0;
