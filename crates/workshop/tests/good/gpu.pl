#!/usr/bin/env perl
use strict;
use warnings;
use constant BUS => '/sys/bus/pci';

my %handler = (
    'pre-start' => \&take,
    'post-stop' => \&give_back,
);

sub spew {
    my ($path, $text) = @_;
    open(my $fh, '>', $path) or die "cannot open $path: $!\n";
    print {$fh} $text or die "cannot write $path: $!\n";
    close($fh) or die "cannot close $path: $!\n";
}

sub devices {
    my ($vmid) = @_;
    my @found;
    open(my $conf, '<', "/etc/pve/qemu-server/$vmid.conf") or return;
    while (my $line = <$conf>) {
        last if $line =~ /^\[/;
        push @found, $1 if $line =~ /^hostpci\d+:\s*(?:host=)?([0-9a-f:.]+)/;
    }
    close($conf);
    return @found;
}

sub take {
    my ($vmid) = @_;
    for my $dev (devices($vmid)) {
        my $path = BUS . "/devices/$dev";
        next unless -d $path;
        spew("$path/driver_override", 'vfio-pci');
        spew("$path/driver/unbind", $dev) if -e "$path/driver";
        spew(BUS . '/drivers_probe', $dev);
    }
}

sub give_back {
    my ($vmid) = @_;
    for my $dev (devices($vmid)) {
        eval { spew(BUS . "/devices/$dev/driver_override", "\n"); 1 } or warn $@;
    }
}

my ($vmid, $phase) = @ARGV;
die "usage: $0 VMID PHASE\n" unless defined $phase;
$handler{$phase}->($vmid) if exists $handler{$phase};
exit 0;
