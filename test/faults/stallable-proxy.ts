import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface StallableProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections stay open and new ones are accepted, but nothing passes: a half-open network. */
  stall(): void;
  /** What was held back passes, too. */
  resume(): void;
}

/** Passes TCP on to the host and port of `target`, an URL. TLS goes through unseen. */
export async function startStallableProxy(target: string): Promise<StallableProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isStalled = false;

  function adopt(socket: Socket, peer: Socket): void {
    sockets.add(socket);
    socket.on('data', (chunk) => {
      if (!peer.write(chunk)) socket.pause();
    });
    peer.on('drain', () => {
      if (!isStalled) socket.resume();
    });
    socket.on('close', () => {
      sockets.delete(socket);
      peer.destroy();
    });
    // Its end is what matters, not why.
    socket.on('error', () => undefined);
    if (isStalled) socket.pause();
  }

  const server = createServer((downstream) => {
    const upstream = connect(Number(port === '' ? 443 : port), hostname);
    adopt(downstream, upstream);
    adopt(upstream, downstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      isStalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      isStalled = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
