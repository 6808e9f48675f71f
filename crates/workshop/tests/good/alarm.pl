#!/usr/bin/perl
# good: config parse, unless/elsif, eval, local alarm
use strict; use warnings; use Fcntl qw(:flock); use Time::HiRes qw(usleep);
my ($vmid, $phase) = @ARGV or die "usage\n";
my $lockfile = "/run/lock/hook.lock";
open(my $lock, '>', $lockfile) or die "$lockfile: $!";
flock($lock, LOCK_EX) or die "flock: $!";
my $ok = eval {
    local $SIG{ALRM} = sub { die "timeout\n" };
    alarm 20;
    if ($phase eq 'pre-start') {
        until (-e '/dev/vfio/vfio') { usleep(200_000); }
    } elsif ($phase eq 'post-stop') {
        my @lines = grep { /^$vmid\b/ } split /\n/, `qm list`;
        foreach my $l (@lines) { print "$l\n"; }
    }
    alarm 0;
    1;
};
if (!$ok) { my $e = $@ || 'unknown'; print STDERR $e; exit($phase eq 'pre-start' ? 1 : 0); }
exit 0;
