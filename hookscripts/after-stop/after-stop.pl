#!/usr/bin/perl
# Once a guest has stopped: starts it again, makes it new, or backs it up, by the cause of its end. README.md has the settings.
#
# hookvisor: phases=pre-start,post-stop
# hookvisor: params=after_stop=,after_stop_tries=3,after_stop_window=600,after_stop_keep=3
use strict;
use warnings;
use Fcntl qw(:flock);
use POSIX qw(setsid strftime);

$| = 1;

my $ROOT = $ENV{HOOKVISOR_ROOT} // '';
$ROOT =~ s{/+$}{};
my $STATE = "$ROOT/run/hookscript/after-stop";
my $LOG   = "$ROOT/var/log/after-stop.log";

# hookvisor calls, and not Proxmox VE: it reads priorities, and has read the settings.
my $TOLD = exists $ENV{HOOKVISOR_RUN_ID};

# How long the stop may take to come to its end, a command that looks, and one that copies, in seconds.
my ($END, $LOOK, $WORK) = (900, 60, 24 * 3600);

my @CAUSES = qw(stop shutdown reboot guest-poweroff guest-reboot crash killed start-failed hibernate rollback backup migrated
    host-shutdown host-crash unknown);
my %GROUPS = (
    asked => [qw(stop shutdown)],
    ended => [qw(guest-poweroff crash killed)],
);
my %ACTIONS = (
    restart => { argument => qr/^$/,                       do => \&restart },
    reclone => { argument => qr/^[1-9][0-9]*$/,            do => \&reclone },
    backup  => { argument => qr{^(?:/.*|[A-Za-z][\w.-]*)$}, do => \&backup },
);

# --- settings --------------------------------------------------------------------------------------------------------

# The pairs of NAME=VALUE,NAME="VALUE, WITH COMMAS".
sub pairs {
    my ($text) = @_;
    my %found;
    while ($text =~ /([a-z][a-z0-9_]*)\s*=\s*(?:"([^"]*)"|([^",]*))/g) {
        $found{$1} = $2 // $3;
    }
    return %found;
}

sub lines_of {
    my ($path) = @_;
    open(my $file, '<', $path) or return;
    my @lines = <$file>;
    close $file;
    chomp @lines;
    return @lines;
}

# What hookvisor reads for its scripts, read here where Proxmox VE calls: this file's header, then hooks.conf.
sub written {
    my ($vmid) = @_;
    my %values;
    my @head = lines_of($0);
    for my $line (splice @head, 0, 64) {
        %values = (%values, pairs($1)) if $line =~ /^#\s*hookvisor:\s*params=(.*)/;
    }
    my $path = "$ROOT/etc/hookvisor/hooks.conf";
    my @status = stat $path or return %values;
    die "'$path' is refused: others than root may write to it\n" if $status[4] != 0 || $status[2] & 022;
    my @lines = lines_of($path);
    for my $wanted ('host', "guest $vmid") {
        my $section = '';
        for my $line (@lines) {
            if ($line =~ /^\s*\[(.*?)\]/) {
                $section = $1;
            } elsif ($section eq $wanted && $line =~ /^\s*params\s*=(.*)/) {
                %values = (%values, pairs($1));
            }
        }
    }
    return %values;
}

sub settings {
    my ($vmid) = @_;
    my @names = qw(after_stop after_stop_tries after_stop_window after_stop_keep);
    my %values = $TOLD ? map { $_ => $ENV{ 'HOOKVISOR_PARAM_' . uc } // '' } @names : written($vmid);
    my %default = (after_stop_tries => 3, after_stop_window => 600, after_stop_keep => 3);
    for my $name (keys %default) {
        $values{$name} = $default{$name} if ($values{$name} // '') eq '';
        die "$name is '$values{$name}', which is no number\n" if $values{$name} !~ /^[1-9][0-9]{0,6}$/;
    }
    $values{rules} = [map { rule($_) } split ' ', $values{after_stop} // ''];
    return %values;
}

# CAUSE=ACTION or CAUSE=ACTION:ARGUMENT
sub rule {
    my ($word) = @_;
    my ($on, $action, $argument) = $word =~ /^([a-z-]+)=([a-z]+)(?::(.+))?$/
        or die "after_stop has '$word', which is not CAUSE=ACTION\n";
    my %known = map { $_ => 1 } @CAUSES, keys %GROUPS;
    die "after_stop has '$on', which is no cause: there are @{[sort keys %known]}\n" if !$known{$on};
    my $does = $ACTIONS{$action} or die "after_stop has '$action', which is none of @{[sort keys %ACTIONS]}\n";
    $argument //= '';
    die "after_stop has '$word': '$argument' is nothing for $action\n" if $argument !~ $does->{argument};
    return { on => $on, action => $action, argument => $argument };
}

# --- the guest -------------------------------------------------------------------------------------------------------

sub kind_of {
    my ($vmid) = @_;
    return 'qm'  if -e "$ROOT/etc/pve/qemu-server/$vmid.conf";
    return 'pct' if -e "$ROOT/etc/pve/lxc/$vmid.conf";
    return;
}

sub config_of {
    my ($vmid) = @_;
    my $folder = (kind_of($vmid) // '') eq 'pct' ? 'lxc' : 'qemu-server';
    my %options;
    for my $line (lines_of("$ROOT/etc/pve/$folder/$vmid.conf")) {
        last if $line =~ /^\[/;
        $options{$1} = $2 if $line =~ /^([a-z][a-z0-9_]*):\s*(.*?)\s*$/;
    }
    return %options;
}

# Its volumes by option: scsi0 => local:100/vm-100-disk-0.raw
sub volumes_of {
    my ($vmid) = @_;
    my %options = config_of($vmid);
    my %volumes;
    for my $option (grep { /^(?:(?:ide|sata|scsi|virtio|mp|efidisk|tpmstate)\d+|rootfs)$/ } keys %options) {
        next if $options{$option} =~ /media=cdrom/;
        my ($volume) = $options{$option} =~ /^(?:file=|volume=)?([^,]+)/ or next;
        $volumes{$option} = $volume if $volume =~ /:/;
    }
    return %volumes;
}

# Runs a command within a limit; what it printed, and dies with its last line where it fails.
sub run {
    my ($limit, @words) = @_;
    my $pid = open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', 'timeout', '-k', 5, $limit, @words);
    die "'$words[0]' cannot be run: $!\n" if !$pid;
    my @lines = <$out>;
    close $out;
    return join '', @lines if $? == 0;
    my ($last) = grep { /\S/ } reverse @lines;
    chomp($last //= $? >> 8 == 124 ? "it did not end in $limit s\n" : 'exit code ' . ($? >> 8) . "\n");
    die "'@words' failed: $last\n";
}

sub status_of {
    my ($vmid) = @_;
    my ($status) = run($LOOK, kind_of($vmid), 'status', $vmid) =~ /status: (\S+)/;
    return $status // 'unknown';
}

sub path_of {
    my ($volume) = @_;
    my $path = $volume =~ m{^/} ? $volume : run($LOOK, 'pvesm', 'path', $volume);
    chomp $path;
    die "'$volume' is no file or folder on this host: $path\n" if !-f $path && !-d $path;
    return $path;
}

# --- what there is to do ---------------------------------------------------------------------------------------------

# Why the guest stopped. Proxmox VE does not tell: what it says otherwise is enough for some causes.
sub cause {
    my ($vmid) = @_;
    return $ENV{HOOKVISOR_STOP_CAUSE} // 'unknown' if $TOLD;
    my %options = config_of($vmid);
    my $lock = $options{lock} // '';
    return 'reboot' if -e "$ROOT/run/qemu-server/$vmid.reboot" || -e "$ROOT/var/lib/lxc/$vmid/reboot";
    return { backup => 'backup', rollback => 'rollback', migrate => 'migrated' }->{$lock} // 'hibernate' if $lock ne '';
    return -e "$STATE/$vmid.asked" ? 'asked' : 'ended';
}

sub applies {
    my ($rule, $cause) = @_;
    my @members = @{ $GROUPS{ $rule->{on} } // [] };
    return 1 if grep { $_ eq $cause } $rule->{on}, @members;
    # At Proxmox VE nobody knows more than that it ended.
    return scalar grep { $_ eq $rule->{on} } @{ $GROUPS{$cause} // [] };
}

sub words_of { return join ', ', map { $_->{action} . ($_->{argument} ne '' ? ":$_->{argument}" : '') } @_ }

sub pre_start {
    my ($vmid) = @_;
    my %settings = settings($vmid);
    for my $rule (@{ $settings{rules} }) {
        if ($rule->{action} eq 'reclone') {
            my %template = volumes_of($rule->{argument}) or die "guest $rule->{argument} is not here, or has no disk\n";
            die "a guest cannot be made new from itself\n" if $rule->{argument} == $vmid;
        }
        die "there is no folder $rule->{argument} for backups\n"
            if $rule->{argument} =~ m{^/} && !-d $rule->{argument};
        die "the storage $rule->{argument} takes no backup: hookvisor has no vzdump, so give a folder\n"
            if $TOLD && $rule->{action} eq 'backup' && $rule->{argument} !~ m{^/};
    }
    unlink "$STATE/$vmid.asked";
    return;
}

sub pre_stop {
    my ($vmid) = @_;
    return if $TOLD;
    make_state();
    write_file("$STATE/$vmid.asked", '');
    return;
}

sub post_stop {
    my ($vmid) = @_;
    my $cause = cause($vmid);
    unlink "$STATE/$vmid.asked";
    my %settings = settings($vmid);
    my @rules = grep { applies($_, $cause) } @{ $settings{rules} };
    # Who stops a guest by hand begins anew.
    unlink "$STATE/$vmid.starts" if grep { $_ eq $cause } 'asked', @{ $GROUPS{asked} };
    return if !@rules;
    make_state();
    my $job = "$STATE/$vmid.job";
    my $caller = getppid;
    my @job = ("vmid=$vmid", "cause=$cause", "caller=$caller", 'born=' . (born($caller) // ''), "told=$TOLD");
    push @job, map { "$_=$settings{$_}" } qw(after_stop_tries after_stop_window after_stop_keep);
    push @job, map { "do=$_->{action}:$_->{argument}" } @rules;
    write_file($job, join "\n", @job, '');
    detach($vmid, $job);
    print "after-stop: guest $vmid has ended ($cause): ", words_of(@rules), ", by a job that writes to $LOG\n";
    return;
}

sub make_state {
    my $path = '';
    for my $part (split m{/}, $STATE) {
        next if $part eq '';
        $path .= "/$part";
        mkdir $path, 0755;
    }
    die "cannot make '$STATE': $!\n" if !-d $STATE;
    return;
}

sub write_file {
    my ($path, $text) = @_;
    open(my $file, '>', "$path.new") or die "cannot write '$path': $!\n";
    print {$file} $text;
    close $file or die "cannot write '$path': $!\n";
    rename "$path.new", $path or die "cannot write '$path': $!\n";
    return;
}

# When a process was born, so that its number alone is not trusted.
sub born {
    my ($pid) = @_;
    my ($stat) = lines_of("/proc/$pid/stat") or return;
    my @fields = split ' ', $stat =~ s/.*\)//sr;
    return $fields[19];
}

# Starts the job outside of whoever calls: by systemd, whose own it is then, or in a session of its own.
sub detach {
    my ($vmid, $job) = @_;
    my %keep = map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(PATH LC_ALL HOME HOOKVISOR_ROOT HOOKVISOR_JOURNAL);
    if (-d '/run/systemd/system') {
        my @set = map { "--setenv=$_=$keep{$_}" } sort keys %keep;
        my $unit = "--unit=after-stop-$vmid-" . time;
        return if eval { run($LOOK, 'systemd-run', '--quiet', '--no-block', '--collect', $unit, @set, $0, '--job', $job); 1 };
        print STDERR "after-stop: $@";
    }
    my $pid = fork // die "cannot fork: $!\n";
    if ($pid == 0) {
        setsid();
        open(STDIN,  '<',  '/dev/null');
        open(STDOUT, '>>', $LOG) or open(STDOUT, '>', '/dev/null');
        open(STDERR, '>&', \*STDOUT);
        chdir '/';
        exec 'env', '-i', (map { "$_=$keep{$_}" } sort keys %keep), $0, '--job', $job or POSIX::_exit(127);
    }
    return;
}

# --- the job ---------------------------------------------------------------------------------------------------------

my $for = '';

sub note {
    my ($text) = @_;
    chomp $text;
    my $line = strftime('%Y-%m-%dT%H:%M:%S%z', localtime) . " guest $for: $text\n";
    if (open(my $log, '>>', $LOG)) {
        print {$log} $line;
        close $log;
    }
    eval { run($LOOK, 'logger', '-t', 'after-stop', '--', "guest $for: $text") };
    return;
}

# Waits until it is so, or dies.
sub until_so {
    my ($what, $limit, $so) = @_;
    my $deadline = time + $limit;
    until ($so->()) {
        die "$what did not come to pass in $limit s\n" if time > $deadline;
        select undef, undef, undef, 0.2;
    }
    return;
}

sub job {
    my ($path) = @_;
    my (%job, @do);
    for my $line (lines_of($path)) {
        my ($name, $value) = split /=/, $line, 2;
        if ($name eq 'do') { push @do, $value } else { $job{$name} = $value }
    }
    my $vmid = $for = $job{vmid} // die "'$path' is no job\n";
    my $lock;
    until_so('the end of an earlier job', $END, sub {
        open($lock, '>>', "$STATE/$vmid.lock") && flock($lock, LOCK_EX | LOCK_NB) or return 0;
        # The earlier job has taken the file away with it.
        return ((stat $lock)[1] // 0) == ((stat "$STATE/$vmid.lock")[1] // 1);
    });
    my $done = eval {
        # Whoever called the hookscript still has the guest; the stop is over with his end.
        until_so('the end of the stop', $END, sub { (born($job{caller}) // '') ne $job{born} || $job{born} eq '' });
        until_so('the stop', $END, sub { !kind_of($vmid) || status_of($vmid) eq 'stopped' });
        for my $word (@do) {
            my ($action, $argument) = split /:/, $word, 2;
            $ACTIONS{$action}{do}->($vmid, $argument, \%job);
        }
        1;
    };
    if (!$done) {
        note("failed after its end ($job{cause}): $@");
        rename $path, "$STATE/$vmid.failed";
    } else {
        # A job of the next end may stand there by now.
        my ($born) = map { /^born=(.*)/ ? $1 : () } lines_of($path);
        unlink $path, "$STATE/$vmid.failed" if ($born // '') eq $job{born};
    }
    unlink "$STATE/$vmid.lock";
    return $done ? 0 : 1;
}

sub restart {
    my ($vmid, undef, $job) = @_;
    my ($tries, $window) = @$job{qw(after_stop_tries after_stop_window)};
    my @starts = grep { time - $_ < $window } lines_of("$STATE/$vmid.starts");
    die "it was started $tries times in $window s, and stays as it is\n" if @starts >= $tries;
    write_file("$STATE/$vmid.starts", join "\n", @starts, time, '');
    run($WORK, kind_of($vmid), 'start', $vmid);
    note("started again after its end ($job->{cause})");
    return;
}

# Proxmox VE clones the template; elsewhere the disks become copies of the template's, and the configuration stays.
sub reclone {
    my ($vmid, $template, $job) = @_;
    my $command = kind_of($template) or die "guest $template, from which it is made new, is not here\n";
    my %of_template = volumes_of($template) or die "guest $template has no disk\n";
    if (!$job->{told}) {
        my %options = config_of($vmid);
        my @name = $command eq 'qm' ? ('--name', $options{name} // "guest-$vmid") : ('--hostname', $options{hostname} // "guest-$vmid");
        run($WORK, $command, 'destroy', $vmid) if kind_of($vmid);
        run($WORK, $command, 'clone', $template, $vmid, @name);
        # Clones have the template's: this one goes on as it was.
        my @keep = grep { defined $options{$_} } qw(hookscript tags onboot startup);
        run($WORK, $command, 'set', $vmid, map { ("--$_", $options{$_}) } @keep) if @keep;
    } else {
        my %own = volumes_of($vmid);
        my @common = sort grep { $own{$_} } keys %of_template;
        die "guests $vmid and $template have no disk of the same name\n" if !@common;
        my @pairs = map { [path_of($of_template{$_}), path_of($own{$_})] } @common;
        replace(@$_) for @pairs;
    }
    note("made new from $template after its end ($job->{cause})");
    return;
}

# Puts a copy in the place of a file or folder; what was there is gone only when the copy is whole.
sub replace {
    my ($from, $to) = @_;
    run($WORK, 'rm', '-rf', '--', "$to.new", "$to.old");
    run($WORK, 'cp', '-a', '--reflink=auto', '--sparse=always', '--', $from, "$to.new");
    if (-d $to) {
        rename $to, "$to.old" or die "cannot rename '$to': $!\n";
    }
    rename "$to.new", $to or die "cannot rename '$to.new': $!\n";
    run($WORK, 'rm', '-rf', '--', "$to.old");
    return;
}

sub backup {
    my ($vmid, $where, $job) = @_;
    if ($where !~ m{^/}) {
        run($WORK, 'vzdump', $vmid, '--storage', $where, '--mode', 'stop', '--quiet', 1);
        note("backed up to the storage $where after its end ($job->{cause})");
        return;
    }
    my $folder = "$where/$vmid-" . strftime('%Y%m%dT%H%M%S', localtime);
    my %volumes = volumes_of($vmid);
    my %paths = map { $_ => path_of($volumes{$_}) } keys %volumes;
    my $done = eval {
        mkdir "$folder.partial", 0700 or die "cannot make '$folder.partial': $!\n";
        my $kind = kind_of($vmid) eq 'pct' ? 'lxc' : 'qemu-server';
        run($LOOK, 'cp', '--', "$ROOT/etc/pve/$kind/$vmid.conf", "$folder.partial/guest.conf");
        for my $option (sort keys %paths) {
            my ($name) = $paths{$option} =~ m{([^/]+)/*$};
            run($WORK, 'cp', '-a', '--reflink=auto', '--sparse=always', '--', $paths{$option}, "$folder.partial/$option-$name");
        }
        die "it was started meanwhile\n" if status_of($vmid) ne 'stopped';
        run($WORK, 'sync', '-f', "$folder.partial");
        rename "$folder.partial", $folder or die "cannot rename '$folder.partial': $!\n";
        1;
    };
    if (!$done) {
        my $why = $@;
        eval { run($WORK, 'rm', '-rf', '--', "$folder.partial") };
        die "no backup: $why";
    }
    note("backed up to $folder after its end ($job->{cause})");
    opendir(my $dir, $where) or die "cannot read '$where': $!\n";
    my @old = reverse sort grep { /^$vmid-\d{8}T\d{6}$/ } readdir $dir;
    closedir $dir;
    run($WORK, 'rm', '-rf', '--', "$where/$_") for splice @old, $job->{after_stop_keep} < @old ? $job->{after_stop_keep} : scalar @old;
    return;
}

# ---------------------------------------------------------------------------------------------------------------------

if (@ARGV == 2 && $ARGV[0] eq '--job') {
    exit job($ARGV[1]);
}
if (@ARGV != 2 || $ARGV[0] !~ /^[1-9][0-9]*$/) {
    print STDERR "usage: $0 VMID PHASE\n";
    exit 64;
}
my ($vmid, $phase) = @ARGV;
my $done = eval {
    if ($phase eq 'pre-start') {
        pre_start($vmid);
    } elsif ($phase eq 'pre-stop') {
        pre_stop($vmid);
    } elsif ($phase eq 'post-stop') {
        post_stop($vmid);
    }
    1;
};
if (!$done) {
    print STDERR $TOLD ? '<3>' : '', "after-stop: guest $vmid", $phase eq 'pre-start' ? ' is not started' : '', ": $@";
    exit 1;
}
exit 0;
