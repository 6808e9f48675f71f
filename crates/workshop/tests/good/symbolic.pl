#!/usr/bin/env perl
use v5.30;
my ($vmid, $phase) = @ARGV;
my $handler = {
  'pre-start' => 'do_prestart', 'post-stop' => 'do_poststop',
}->{$phase};
exit 0 unless $handler;
no strict 'refs';
&$handler($vmid);
sub do_prestart { my $id = shift; open(my $f, '>>', '/var/log/h.log') or return; say $f "pre $id"; close $f; }
sub do_poststop { my ($id) = @_; say "post $id"; }
exit 0;
