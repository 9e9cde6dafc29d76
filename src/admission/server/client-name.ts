import { TLSSocket } from 'node:tls';
import type { Socket } from 'node:net';
import type { ClientAuth } from './secure-context.ts';

export type ClientCheck =
  | { readonly ok: true }
  /** `name`: of a certificate that its authority vouches for; absent without one. */
  | { readonly ok: false; readonly name?: string };

/** Whether the other side has a certificate of the bundle with one of the names. */
export function checkClient(socket: Socket, { allowedNames }: ClientAuth): ClientCheck {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return { ok: false };
  // More than one common name, against its type, is a list.
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  if (typeof name !== 'string') return { ok: false };
  return allowedNames.includes(name) ? { ok: true } : { ok: false, name };
}
