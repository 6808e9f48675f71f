#!/usr/bin/perl
use strict;
my ($vmid, $phase) = @ARGV;
if ($phase eq 'post-start') {
    my $pid = fork();
    if ($pid == 0) {
        exec('/usr/local/bin/poller', $vmid);
    }
}
exit 0;
