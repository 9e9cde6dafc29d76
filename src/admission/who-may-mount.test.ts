import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { createPolicyIndex } from '#access/policy-index.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { credentialOf } from './testing/core-objects.ts';
import { mayMount, mayRunAs, mountedBy } from './who-may-mount.ts';

const MAKER = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;
const ALICE = { username: 'alice', groups: ['desk-mm', 'system:authenticated'] };
const ALICE_MAY = policyOf({}, 'alice');
const MAKER_MAY = policyOf({ subjects: [MAKER] }, 'maker');
/** From three to four at night, UTC; it is noon. */
const AT_NIGHT = { times: [{ schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' }] };
const NIGHT = NOW + 15 * 3_600_000 + 1_800_000;

/** A world whose policies and credentials can change. */
class Scene {
  readonly world = {
    policyIndex: (): PolicyIndex => this.#index,
    policies: (): readonly AccessPolicy[] => this.#policies,
    credentials: (): readonly ExchangeCredential[] => this.credentials,
  };
  credentials: readonly ExchangeCredential[];
  #policies: readonly AccessPolicy[] = [];
  #index = createPolicyIndex([]);

  constructor(policies: readonly AccessPolicy[], credentials: readonly ExchangeCredential[]) {
    this.credentials = credentials;
    this.setPolicies(policies);
  }

  setPolicies(policies: readonly AccessPolicy[]): void {
    this.#policies = policies;
    this.#index = createPolicyIndex(policies);
  }

  names(account = 'maker'): readonly string[] {
    return mountedBy(this.world, 'trading', account).map(({ metadata }) => metadata.name);
  }
}

const [ONE, TWO, STAGING] = [
  credentialOf('one'),
  credentialOf('two'),
  credentialOf('staging', { environment: 'Staging' }),
];

describe('mountedBy', () => {
  it('finds what the account may mount', () => {
    const scene = new Scene([MAKER_MAY], [ONE, TWO, STAGING]);
    expect(scene.names()).toEqual(['one', 'two']);
    expect(scene.names('poor')).toEqual([]);
  });

  it('counts constraints of an Allow as met, and a Deny only when it is certain', () => {
    const night = policyOf({ subjects: [MAKER], constraints: AT_NIGHT }, 'night');
    const deny = policyOf({ subjects: [MAKER], effect: 'Deny' }, 'deny');
    const denyAtNight = policyOf(
      { subjects: [MAKER], effect: 'Deny', constraints: AT_NIGHT },
      'deny-night',
    );
    expect(new Scene([night], [ONE]).names()).toEqual(['one']);
    expect(new Scene([night, deny], [ONE]).names()).toEqual([]);
    expect(new Scene([night, denyAtNight], [ONE]).names()).toEqual(['one']);
  });

  it('answers with the same list until something changes', () => {
    const scene = new Scene([MAKER_MAY], [ONE, TWO]);
    const first = mountedBy(scene.world, 'trading', 'maker');
    expect(mountedBy(scene.world, 'trading', 'maker')).toBe(first);
  });

  it('learns of new, changed and deleted credentials', () => {
    const scene = new Scene([MAKER_MAY], [ONE]);
    expect(scene.names()).toEqual(['one']);
    scene.credentials = [ONE, TWO];
    expect(scene.names()).toEqual(['one', 'two']);
    scene.credentials = [{ ...ONE, spec: { ...ONE.spec, environment: 'Staging' } }, TWO];
    expect(scene.names()).toEqual(['two']);
    scene.credentials = [];
    expect(scene.names()).toEqual([]);
  });

  it('learns of new and changed policies', () => {
    const scene = new Scene([], [ONE]);
    expect(scene.names()).toEqual([]);
    scene.setPolicies([MAKER_MAY]);
    expect(scene.names()).toEqual(['one']);
    scene.setPolicies([policyOf({ subjects: [MAKER], environments: ['Staging'] }, 'maker')]);
    expect(scene.names()).toEqual([]);
  });
});

describe('mayRunAs', () => {
  const ask = (scene: Scene, atMs = NOW, identity = ALICE): boolean =>
    mayRunAs(scene.world, identity, 'trading', 'maker', atMs).isAllowed;

  it('needs every credential that the account may mount', () => {
    const both = policyOf({ credentials: { namespaces: ['*'], names: ['one', 'two'] } }, 'alice');
    const one = policyOf({ credentials: { namespaces: ['*'], names: ['one'] } }, 'alice');
    expect(ask(new Scene([MAKER_MAY, both], [ONE, TWO]))).toBe(true);
    const scene = new Scene([MAKER_MAY, one], [ONE, TWO]);
    const answer = mayRunAs(scene.world, ALICE, 'trading', 'maker', NOW);
    expect(answer).toMatchObject({ isAllowed: false, credential: TWO });
  });

  it('needs nothing where the account may mount nothing, and of system:masters', () => {
    expect(ask(new Scene([], [ONE]))).toBe(true);
    const masters = { username: 'admin', groups: ['system:masters'] };
    expect(ask(new Scene([MAKER_MAY], [ONE]), NOW, masters)).toBe(true);
  });

  it('forgets what it knew once policies or credentials change', () => {
    const scene = new Scene([MAKER_MAY, ALICE_MAY], [ONE]);
    expect(ask(scene)).toBe(true);
    scene.setPolicies([MAKER_MAY]);
    expect(ask(scene)).toBe(false);
    scene.setPolicies([MAKER_MAY, ALICE_MAY]);
    expect(ask(scene)).toBe(true);
    scene.credentials = [{ ...ONE, spec: { ...ONE.spec, minimumAccessLevel: 'Admin' } }];
    scene.setPolicies([policyOf({ subjects: [MAKER], accessLevel: 'Admin' }, 'maker'), ALICE_MAY]);
    expect(ask(scene)).toBe(false);
  });

  it('asks about a credential that is new or changed, when it knows of the others', () => {
    const named = policyOf({ credentials: { namespaces: ['*'], names: ['one', 'two'] } }, 'alice');
    const scene = new Scene([MAKER_MAY, named], [ONE]);
    expect(ask(scene)).toBe(true);
    scene.credentials = [ONE, TWO];
    expect(ask(scene)).toBe(true);
    scene.credentials = [ONE, TWO, credentialOf('three')];
    expect(ask(scene)).toBe(false);
    scene.credentials = [TWO, ONE];
    expect(ask(scene)).toBe(true);
  });

  it('goes with the clock where the answer hangs on it', () => {
    const scene = new Scene([MAKER_MAY, policyOf({ constraints: AT_NIGHT }, 'alice')], [ONE]);
    expect([NOW, NIGHT, NOW].map((atMs) => ask(scene, atMs))).toEqual([false, true, false]);
  });

  it('tells identities apart whose names and groups would read the same', () => {
    const scene = new Scene(
      [MAKER_MAY, policyOf({ subjects: [{ kind: 'Group', name: 'desk' }] }, 'desk')],
      [ONE],
    );
    const of = (username: string, ...groups: readonly string[]): boolean =>
      mayRunAs(scene.world, { username, groups }, 'trading', 'maker', NOW).isAllowed;
    expect(of('a', 'desk')).toBe(true);
    expect(of('a","desk')).toBe(false);
    expect(of('a,desk')).toBe(false);
    expect(of('a', 'desk","b')).toBe(false);
    expect(of('a', 'b', 'desk')).toBe(true);
  });
});

describe('mayMount', () => {
  it('tells which policies decided, and not more than ten', () => {
    const policies = Array.from({ length: 20 }, (_, n) => policyOf({}, `alice-${n + 10}`));
    const { world } = new Scene(policies, [ONE]);
    const answer = mayMount(world, ALICE, [ONE], NOW);
    expect(answer.isAllowed).toBe(true);
    expect(answer.policies).toHaveLength(10);
  });

  it('decides of many as of each', () => {
    const names = (from: number): readonly string[] => [`c-${from}`, `c-${from + 1}`];
    const policies = [
      policyOf({ credentials: { namespaces: ['trading'], names: names(0) } }, 'zero'),
      policyOf({ credentials: { namespaces: ['*'], selector: { matchLabels: { desk: 'mm' } } } }),
      ...[3, 7, 11].map((from) =>
        policyOf(
          {
            subjects: [{ kind: 'Group', name: 'desk-mm' }],
            effect: from === 7 ? 'Deny' : 'Allow',
            credentials: { namespaces: ['trading'], names: names(from) },
          },
          `policy-${from}`,
        ),
      ),
    ];
    const { world } = new Scene(policies, []);
    const many = Array.from({ length: 40 }, (_, n) => credentialOf(`c-${n}`));
    for (const only of [many, many.filter(({ metadata }) => !names(7).includes(metadata.name))]) {
      const whole = mayMount(world, ALICE, only, NOW);
      const each = only.map((one) => mayMount(world, ALICE, [one], NOW));
      const refused = each.find(({ isAllowed }) => !isAllowed);
      expect(whole.isAllowed).toBe(refused === undefined);
      expect(whole).toEqual(refused ?? { ...whole, isAllowed: true });
    }
  });

  it('lets nobody mount who has no name', () => {
    const anyone = policyOf({ subjects: [{ kind: 'Group', name: 'system:unauthenticated' }] });
    const { world } = new Scene([anyone], [ONE]);
    const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
    expect(mayMount(world, anonymous, [ONE], NOW).isAllowed).toBe(false);
  });
});

describe('with 1,000 policies and 10,000 credentials in one namespace', () => {
  const credentials = Array.from({ length: 10_000 }, (_, n) => credentialOf(`credential-${n}`));
  const policies = [
    MAKER_MAY,
    ...Array.from({ length: 998 }, (_, n) =>
      policyOf(
        {
          subjects: [{ kind: 'Group', name: `desk-${n % 100}` }],
          credentials: { namespaces: ['trading'], names: [`credential-${n}`] },
        },
        `policy-${n}`,
      ),
    ),
    ALICE_MAY,
  ];

  it('answers again in less than 0.3 ms', () => {
    const { world } = new Scene(policies, credentials);
    expect(mayRunAs(world, ALICE, 'trading', 'maker', NOW).isAllowed).toBe(true);
    const started = performance.now();
    for (let round = 0; round < 1000; round += 1) mayRunAs(world, ALICE, 'trading', 'maker', NOW);
    expect((performance.now() - started) / 1000).toBeLessThan(0.3);
  });
});
