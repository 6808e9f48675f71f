#!/usr/bin/perl -w
use strict;
use IO::Socket::INET;

my ($vmid, $phase) = (shift, shift);
exit 0 if $phase ne 'pre-start';

my $host = '10.0.0.2';
my $deadline = time() + 90;
my $ready = 0;
until ($ready) {
    my $sock = IO::Socket::INET->new(PeerAddr => $host, PeerPort => 2049, Timeout => 2);
    if ($sock) {
        $ready = 1;
        close $sock;
        last;
    }
    if (time() > $deadline) {
        print STDERR "$host does not answer, not starting $vmid\n";
        exit 1;
    }
    sleep 2;
}
exit 0;
