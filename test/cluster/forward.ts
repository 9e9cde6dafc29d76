/**
 * Carries TCP connections from an address that the nodes reach to the API server, which itself
 * listens on loopback only.
 *
 * usage: forward.ts <listen address> <listen port> <port of 127.0.0.1>
 */
import { connect, createServer } from 'node:net';

const [host, port, target] = process.argv.slice(2);

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const server = connect({
    host: '127.0.0.1',
    port: Number(target),
    allowHalfOpen: true,
    noDelay: true,
  });
  client.pipe(server).pipe(client);
  // With one side gone the other must learn of it: a client would wait for its watch forever.
  client.once('error', () => server.destroy()).once('close', () => server.destroy());
  server.once('error', () => client.destroy()).once('close', () => client.destroy());
}).listen(Number(port), host);
