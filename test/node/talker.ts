/**
 * One host of a test network: answers what others send it, and on request sends to others and says
 * what came of it. Runs in the host's network namespace; arguments: the addresses to listen at.
 */
import { createSocket } from 'node:dgram';
import { createServer, connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

export const PORT = 7000;
/** Between two namespaces of one machine an answer takes less than a millisecond. */
const PATIENCE_MS = 700;

export type Outcome = 'answered' | 'refused' | 'reset' | 'closed' | 'silent';

export type Request =
  | { readonly act: 'tcp' | 'udp'; readonly from: string; readonly to: string }
  /** A connection that stays; `talk` sends over it and waits for the answer. */
  | { readonly act: 'open'; readonly name: string; readonly from: string; readonly to: string }
  | { readonly act: 'talk'; readonly name: string }
  /** Datagrams received so far from that address. */
  | { readonly act: 'count'; readonly from: string };

const datagrams = new Map<string, number>();
const connections = new Map<string, Socket>();

async function listen(address: string): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(PORT, address, resolve));
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message, remote) => {
    datagrams.set(remote.address, (datagrams.get(remote.address) ?? 0) + 1);
    socket.send(message, remote.port, remote.address);
  });
  await new Promise<void>((resolve) => socket.bind(PORT, address, resolve));
}

async function answer(request: Request): Promise<Outcome | number> {
  switch (request.act) {
    case 'udp':
      return await sendDatagram(request.from, request.to);
    case 'tcp': {
      const { outcome, socket } = await open(request.from, request.to);
      socket.destroy();
      return outcome;
    }
    case 'open': {
      const { outcome, socket } = await open(request.from, request.to);
      connections.set(request.name, socket);
      return outcome;
    }
    case 'talk': {
      const socket = connections.get(request.name);
      return socket === undefined ? 'closed' : await talk(socket);
    }
    case 'count':
      return datagrams.get(request.from) ?? 0;
  }
}

async function open(from: string, to: string): Promise<{ outcome: Outcome; socket: Socket }> {
  const socket = connect({ host: to, port: PORT, localAddress: from });
  const outcome = await new Promise<Outcome>((resolve) => {
    socket.once('connect', () => resolve('answered'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNRESET' ? 'reset' : 'refused');
    });
    setTimeout(() => resolve('silent'), PATIENCE_MS).unref();
  });
  return { outcome, socket };
}

function talk(socket: Socket): Promise<Outcome> {
  if (socket.destroyed) {
    return Promise.resolve(socket.errored === null ? 'closed' : 'reset');
  }
  return new Promise((resolve) => {
    socket.once('data', () => resolve('answered'));
    socket.once('error', () => resolve('reset'));
    socket.once('close', () => resolve('closed'));
    socket.write('ping');
    setTimeout(() => resolve('silent'), PATIENCE_MS).unref();
  });
}

async function sendDatagram(from: string, to: string): Promise<Outcome> {
  const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve) => socket.bind(0, from, resolve));
    return await new Promise<Outcome>((resolve) => {
      socket.once('message', () => resolve('answered'));
      socket.once('error', () => resolve('refused'));
      socket.send('ping', PORT, to);
      setTimeout(() => resolve('silent'), PATIENCE_MS).unref();
    });
  } finally {
    socket.close();
  }
}

if (import.meta.main) {
  await Promise.all(process.argv.slice(2).map(listen));
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, ...request } = JSON.parse(line) as Request & { readonly id: number };
    void answer(request).then((result) => console.log(JSON.stringify({ id, result })));
  }
  process.exit(0);
}
