/** Stands for the Service of the webhook, where no node runs that could: TCP, in turn, to what answers. */
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Balancer extends AsyncDisposable {
  readonly port: number;
  /** New connections go there, too, until it is taken out again. */
  add(port: number): () => void;
  /** Ends every connection that is open. */
  cut(): void;
  /** From now on everything goes to this port alone, connections that are open ended. */
  divert(port: number): Disposable;
}

export async function startBalancer(): Promise<Balancer> {
  const backends: number[] = [];
  const sockets = new Set<Socket>();
  let turn = 0;
  let diverted: number | undefined;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  /** The next backend that takes the connection; those that refuse it are passed over. */
  function dial(left: number, onConnect: (socket: Socket) => void, onNone: () => void): void {
    const port = diverted ?? backends[turn % Math.max(1, backends.length)];
    turn += 1;
    if (port === undefined || left === 0) {
      onNone();
      return;
    }
    const socket = connect(port, '127.0.0.1');
    const onError = (): void => dial(left - 1, onConnect, onNone);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      onConnect(socket);
    });
  }

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  }

  const server = createServer({ pauseOnConnect: true }, (client) => {
    keep(client);
    dial(
      Math.max(1, backends.length),
      (backend) => {
        keep(backend);
        client.once('close', () => backend.destroy());
        backend.once('close', () => client.destroy());
        client.pipe(backend);
        backend.pipe(client);
        client.resume();
      },
      () => client.destroy(),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    add(port) {
      backends.push(port);
      return () => {
        const place = backends.indexOf(port);
        if (place !== -1) backends.splice(place, 1);
      };
    },
    cut,
    divert(port) {
      diverted = port;
      cut();
      return {
        [Symbol.dispose]() {
          diverted = undefined;
          cut();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
