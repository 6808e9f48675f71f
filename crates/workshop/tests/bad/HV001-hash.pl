#!/usr/bin/perl
# HV001 swapped with hash dispatch
my ($phase, $vmid) = @ARGV;
my %h = ('pre-start' => sub { print "a" }, 'post-stop' => sub { print "b" });
$h{$phase}->($vmid) if defined $h{$phase};
