#!/usr/bin/perl
use strict;
my ($vmid, $phase) = @ARGV;
if ($phase eq 'post-start') {
    my $pid = '';
    while (!$pid) {
        sleep 1;
        $pid = `pgrep -f "id $vmid"`;
    }
    system("renice -5 $pid");
}
exit 0;
