/** Programs that talk: for pods of the shell image, and for hosts outside of the cluster. */

/** Perl: takes connections on the ports and gives back each line that comes. */
export function echoServer(ports: readonly number[]): readonly string[] {
  const script = `
    use IO::Socket::INET; use IO::Select;
    my (%listens, $all); $all = IO::Select->new; $| = 1;
    for my $port (@ARGV) {
      my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1) or die "$port: $!";
      $listens{$server} = 1; $all->add($server);
    }
    print "ready\\n";
    while (1) {
      for my $one ($all->can_read) {
        if ($listens{$one}) { my $client = $one->accept; $client->autoflush(1); $all->add($client); next }
        my $read = sysread($one, my $text, 4096);
        if ($read) { syswrite($one, $text) } else { $all->remove($one); close $one }
      }
    }`;
  return ['perl', '-e', script, ...ports.map(String)];
}

/** Bash: ends with 0 where a TCP connection comes about within 3 seconds. */
export function connectTo(address: string, port: number): readonly string[] {
  return ['timeout', '3', 'bash', '-c', 'exec 3<>"/dev/tcp/$0/$1"', address, String(port)];
}

/**
 * Perl: keeps one connection, sends a numbered line every tenth of a second, and prints each that
 * comes back; \`closed\` when the other end, or somebody on the way, ends it.
 */
export function keepTalking(address: string, port: number): readonly string[] {
  const script = `
    use IO::Socket::INET; use IO::Select; $| = 1; $SIG{PIPE} = 'IGNORE';
    my $socket = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5) or die "connect: $!";
    $socket->autoflush(1);
    my $all = IO::Select->new($socket);
    for (my $line = 1; $line <= 6000; $line++) {
      print $socket "$line\\n" or do { print "closed\\n"; exit };
      select(undef, undef, undef, 0.1);
      next unless $all->can_read(0);
      my $read = sysread($socket, my $text, 4096);
      if ($read) { print $text } else { print "closed\\n"; exit }
    }`;
  return ['perl', '-e', script, address, String(port)];
}
