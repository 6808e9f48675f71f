#!/usr/bin/perl
use strict; use warnings;
use File::Path qw(make_path);
our ($VMID, $PHASE) = @ARGV;
my $tries = 0;
my %cfg = (host => '10.0.0.1', port => 22);
sub logmsg { my $m = sprintf("[%s] %s", $PHASE, join(' ', @_)); print "$m\n"; return; }
sub try_connect { return system("nc -z -w 2 $cfg{host} $cfg{port}") == 0; }
if ($PHASE eq "pre-start") {
    make_path("/run/hook");
    while (!try_connect()) {
        die "not reachable\n" if ++$tries > 20;
        sleep 2;
    }
    logmsg("ok");
}
elsif ($PHASE =~ m/^post-(start|stop)$/) { logmsg("done $1"); }
else { logmsg("nothing"); }
1;
