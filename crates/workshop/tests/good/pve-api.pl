#!/usr/bin/perl
use strict;
use warnings;
use PVE::QemuConfig;
use PVE::Tools qw(run_command);

my $vmid = shift;
my $phase = shift;

my $dispatch = {
    'pre-start'  => sub {
        my $conf = PVE::QemuConfig->load_config($vmid);
        my $tags = $conf->{tags} // '';
        die "guest $vmid is in maintenance\n" if $tags =~ /\bmaintenance\b/;
    },
    'post-start' => sub { run_command(['logger', '-t', 'hook', "started $vmid"]) },
    'pre-stop'   => sub { },
    'post-stop'  => sub { run_command(['logger', '-t', 'hook', "stopped $vmid"]) },
};

my $code = $dispatch->{$phase};
$code->() if $code;
