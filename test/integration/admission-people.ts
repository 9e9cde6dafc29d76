/**
 * People who ask the API server themselves and look at every word of its answer, which a client that
 * keeps values out of its errors does not show.
 */
import { request as httpsRequest } from 'node:https';
import type { ClusterConfig } from '../../src/kube/config.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { collectionPath, objectPath } from '../../src/kube/url.ts';

const PATCHES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Of a PATCH; merge unless told. */
  readonly patch?: keyof typeof PATCHES;
}

/** Whom the asking person acts as. */
export interface ActingAs {
  readonly username: string;
  readonly groups?: readonly string[];
}

export interface Answer {
  readonly status: number;
  /** Of a refusal: what the API server says; else empty. */
  readonly message: string;
  /** The texts of the Warning headers, which kubectl prints. */
  readonly warnings: readonly string[];
  readonly object: KubeObject | undefined;
}

export interface Person {
  readonly name: string;
  ask(ask: Ask, as?: ActingAs): Promise<Answer>;
}

/** Somebody with the kubeconfig of their own. */
export async function personOf(name: string, kubeconfig: string): Promise<Person> {
  const config = await loadClusterConfig({ kubeconfig });
  return { name, ask: (ask, as) => send(config, ask, as) };
}

/** The same request as a dry run. */
export function asDryRun(ask: Ask): Ask {
  return { ...ask, path: `${ask.path}${ask.path.includes('?') ? '&' : '?'}dryRun=All` };
}

export function creates<T extends KubeObject>(
  resource: Resource,
  object: T,
): Ask & { readonly body: T } {
  const { namespace } = object.metadata;
  const scope = namespace === undefined ? ({ allNamespaces: true } as const) : { namespace };
  return { method: 'POST', path: collectionPath(resource, scope), body: object };
}

/** POST to a subresource, as tokens, evictions and connections are made. */
export function posts(
  resource: Resource,
  at: { readonly namespace?: string; readonly name: string },
  subresource: string,
  body: unknown,
  query = '',
): Ask {
  return { method: 'POST', path: `${objectPath(resource, at, subresource)}${query}`, body };
}

export function patches(
  resource: Resource,
  at: { readonly namespace?: string; readonly name: string },
  body: unknown,
  more: { readonly subresource?: string; readonly patch?: keyof typeof PATCHES } = {},
): Ask {
  const { subresource, patch } = more;
  const path = objectPath(resource, at, subresource);
  return { method: 'PATCH', path, body, ...(patch === undefined ? {} : { patch }) };
}

export function deletes(
  resource: Resource,
  at: { readonly namespace?: string; readonly name: string },
): Ask {
  return { method: 'DELETE', path: objectPath(resource, at, undefined) };
}

export function gets(
  resource: Resource,
  at: { readonly namespace?: string; readonly name: string },
  subresource?: string,
): Ask {
  return { method: 'GET', path: objectPath(resource, at, subresource) };
}

async function send(config: ClusterConfig, ask: Ask, as: ActingAs | undefined): Promise<Answer> {
  const [authority, certificate, authorization] = await Promise.all([
    config.readCa(),
    config.readClientCertificate(false),
    config.readAuthorization(false),
  ]);
  const type = ask.method === 'PATCH' ? PATCHES[ask.patch ?? 'merge'] : 'application/json';
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = httpsRequest(
    `${config.server}${ask.path}`,
    {
      method: ask.method,
      agent: false,
      timeout: 35_000,
      ...(authority === undefined ? {} : { ca: authority }),
      ...certificate,
      headers: {
        accept: 'application/json',
        'content-type': type,
        ...(authorization === undefined ? {} : { authorization }),
        ...(as === undefined ? {} : { 'impersonate-user': as.username }),
        ...(as?.groups === undefined ? {} : { 'impersonate-group': [...as.groups] }),
      },
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const warnings = warningsOf(response.rawHeaders);
        resolve(answerOf(response.statusCode ?? 0, text, warnings));
      });
    },
  );
  call.once('timeout', () => call.destroy(new Error(`${ask.path}: no answer within 35 s`)));
  call.once('error', reject);
  call.end(ask.body === undefined ? undefined : JSON.stringify(ask.body));
  return promise;
}

function answerOf(status: number, text: string, warnings: readonly string[]): Answer {
  let object: (KubeObject & { readonly message?: string }) | undefined;
  try {
    object = JSON.parse(text) as KubeObject;
  } catch {
    // A connection's answer need not be JSON.
  }
  return { status, warnings, object, message: status < 300 ? '' : (object?.message ?? text) };
}

/** `299 - "text"`, with quotes and backslashes escaped; one header each. */
function warningsOf(headers: readonly string[]): readonly string[] {
  return headers.flatMap((name, place) => {
    if (place % 2 === 1 || name.toLowerCase() !== 'warning') return [];
    const text = /^299 \S+ "(.*)"/s.exec(headers[place + 1] ?? '')?.[1] ?? '';
    return [text.replaceAll(/\\(.)/gs, '$1')];
  });
}
