import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardedSecretsOf } from '#api/credential-secrets.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import type { Pod } from '#kube/objects.ts';
import { createStore } from '#runtime/store.ts';
import { createFormerSecrets } from './former-secrets.ts';
import type { FormerSecrets } from './former-secrets.ts';
import { credentialOf } from './testing/core-objects.ts';

const NAMESPACE = 'trading';
const SECRETS = ['a', 'b', 'c'] as const;
const NAMES = ['maker', 'taker'] as const;

type Act =
  | { readonly do: 'deliver'; readonly name: string; readonly secret: string }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'run'; readonly secret: string; readonly kind: 'volume' | 'pull' | 'env' }
  | { readonly do: 'end'; readonly place: number }
  | { readonly do: 'write' | 'restart' }
  | { readonly do: 'wait'; readonly ms: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    do: fc.constant('deliver' as const),
    name: fc.constantFrom(...NAMES),
    secret: fc.constantFrom(...SECRETS),
  }),
  fc.record({ do: fc.constant('remove' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({
    do: fc.constant('run' as const),
    secret: fc.constantFrom(...SECRETS),
    kind: fc.constantFrom('volume' as const, 'pull' as const, 'env' as const),
  }),
  fc.record({ do: fc.constant('end' as const), place: fc.nat({ max: 5 }) }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('write' as const, 'restart' as const) }),
  },
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 61_000) }),
);

function podOf(name: string, secret: string, kind: 'volume' | 'pull' | 'env'): Pod {
  const env = [{ name: 'KEY', valueFrom: { secretKeyRef: { name: secret } } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      containers: kind === 'env' ? [{ name: 'main', env }] : [],
      ...(kind === 'pull' ? { imagePullSecrets: [{ name: secret }] } : {}),
      ...(kind === 'volume' ? { volumes: [{ name: 'key', secret: { secretName: secret } }] } : {}),
    },
  };
}

/** A replica, which is also the leader, with the cluster as it sees it. */
class Replica {
  readonly #credentials = createStore<ExchangeCredential>({
    secret: (credential) => guardedSecretsOf(credential),
  });
  #pods: readonly { readonly pod: Pod; readonly secret: string; held: boolean }[] = [];
  #written: NamespaceAccessSpec | undefined;
  #former: FormerSecrets = this.#start();
  #nowMs = 0;
  #count = 0;

  #start(): FormerSecrets {
    return createFormerSecrets({
      isGuarded: (_, secret) => this.#isGuarded(secret),
      written: () => this.#written,
      pods: () => this.#pods.map(({ pod }) => pod),
      now: () => this.#nowMs,
    });
  }

  #isGuarded(secret: string): boolean {
    return this.#credentials.byIndex('secret', secret).length > 0;
  }

  do(next: Act): void {
    switch (next.do) {
      case 'deliver': {
        this.#count += 1;
        const credential = credentialOf(next.name, { delivery: { secret: { name: next.secret } } });
        const metadata = { ...credential.metadata, resourceVersion: String(this.#count) };
        for (const change of this.#credentials.apply({ ...credential, metadata })) {
          this.#former.heard(change);
        }
        break;
      }
      case 'remove': {
        const known = this.#credentials.get(`${NAMESPACE}/${next.name}`);
        if (known === undefined) break;
        for (const change of this.#credentials.delete(known)) this.#former.heard(change);
        break;
      }
      case 'run': {
        this.#count += 1;
        const pod = podOf(`pod-${this.#count}`, next.secret, next.kind);
        this.#pods = [...this.#pods, { pod, secret: next.secret, held: false }];
        this.#former.prune(NAMESPACE);
        break;
      }
      case 'end':
        this.#pods = this.#pods.filter((_, place) => place !== next.place);
        this.#former.prune(NAMESPACE);
        break;
      case 'write':
        this.#write();
        break;
      case 'restart':
        // It may come to a stop at any time after it wrote last.
        this.#former = this.#start();
        break;
      case 'wait':
        this.#nowMs += next.ms;
        break;
    }
    for (const one of this.#pods) one.held ||= this.#isGuarded(one.secret);
  }

  /** What the writer makes of it: a new credential is in the table before it is delivered. */
  #write(): void {
    const formerSecrets = this.#former.names(NAMESPACE);
    const guarded = SECRETS.filter((secret) => this.#isGuarded(secret));
    this.#written = {
      secrets: Object.fromEntries(guarded.map((secret) => [secret, [0]])),
      rules: [{ subjects: {} }],
      ...(formerSecrets.length === 0 ? {} : { formerSecrets }),
    };
  }

  /** Pods that got a value, and whether that is known. */
  held(): readonly boolean[] {
    return this.#pods
      .filter(({ held }) => held)
      .map(({ secret }) => this.#isGuarded(secret) || this.#former.has(NAMESPACE, secret));
  }

  isRemembered(secret: string): boolean {
    return this.#former.has(NAMESPACE, secret);
  }
}

describe('Secrets that were guarded once', () => {
  it('are known for each pod that got what was in them, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (story) => {
        const replica = new Replica();
        for (const next of story) {
          replica.do(next);
          // The table follows each change of a credential within moments; stops come at other times.
          if (next.do === 'deliver' || next.do === 'run') replica.do({ do: 'write' });
          expect(replica.held()).not.toContain(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[string, readonly Act[], boolean]>([
    [
      'prepared, delivered, renamed',
      [
        { do: 'run', secret: 'a', kind: 'volume' },
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'deliver', name: 'maker', secret: 'b' },
      ],
      true,
    ],
    [
      'deleted, and the process begins anew before it wrote anything',
      [
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'run', secret: 'a', kind: 'env' },
        { do: 'write' },
        { do: 'remove', name: 'maker' },
        { do: 'restart' },
      ],
      true,
    ],
    [
      'deleted, written, begun anew, written again',
      [
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'run', secret: 'a', kind: 'pull' },
        { do: 'remove', name: 'maker' },
        { do: 'write' },
        { do: 'restart' },
        { do: 'write' },
        { do: 'restart' },
      ],
      true,
    ],
    [
      'deleted, begun anew before anything was written, and written then',
      [
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'run', secret: 'a', kind: 'volume' },
        { do: 'write' },
        { do: 'remove', name: 'maker' },
        { do: 'restart' },
        { do: 'write' },
        { do: 'restart' },
      ],
      true,
    ],
    [
      'deleted when no pod used it, and written',
      [
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'write' },
        { do: 'remove', name: 'maker' },
        { do: 'write' },
        { do: 'restart' },
        { do: 'run', secret: 'a', kind: 'volume' },
      ],
      false,
    ],
    [
      'its last pod ended',
      [
        { do: 'deliver', name: 'maker', secret: 'a' },
        { do: 'run', secret: 'a', kind: 'volume' },
        { do: 'remove', name: 'maker' },
        { do: 'write' },
        { do: 'wait', ms: 61_000 },
        { do: 'end', place: 0 },
        { do: 'write' },
      ],
      false,
    ],
    ['it never was', [{ do: 'run', secret: 'a', kind: 'volume' }, { do: 'write' }], false],
  ])('remembered or not: %s', (_, story, isRemembered) => {
    const replica = new Replica();
    for (const next of story) replica.do(next);
    expect(replica.isRemembered('a')).toBe(isRemembered);
  });
});
