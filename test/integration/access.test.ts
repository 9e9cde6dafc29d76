import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ACTIONS } from '../../src/access/actions.ts';
import type { Action } from '../../src/access/actions.ts';
import { decide } from '../../src/access/decide.ts';
import { factsOf } from '../../src/access/facts.ts';
import { describeSubject, serviceAccountIdentity } from '../../src/access/identity.ts';
import type { Identity } from '../../src/access/identity.ts';
import { createPolicyIndex } from '../../src/access/policy-index.ts';
import type { PolicyIndex } from '../../src/access/policy-index.ts';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy, AccessPolicySpec, Subject } from '../../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { ACCESS_LEVELS, PERMISSIONS, ROLES as POLICY_ROLES } from '../../src/api/roles.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import {
  CONFIG_MAPS,
  EVENTS,
  NAMESPACES,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SUBJECT_ACCESS_REVIEWS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { clientOf, userKubeconfig } from './identities.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { kubeconfigOf } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

const OURS = { labelSelector: 'strongroom.dev/component=access-policy' };

interface Person {
  readonly identity: Identity;
  readonly client: KubeClient;
}

/** The operator with the chart's rights, and subjects who ask the API server themselves. */
describe('AccessPolicy', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let admin: KubeClient;
  let operator: OperatorProcess;
  /** Pinned to Production by its label. */
  let trading: TestNamespace;
  let research: TestNamespace;
  const people: Person[] = [];
  let credentials: readonly ExchangeCredential[] = [];

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    admin = installation.client;
    trading = cleanup.use(
      await createNamespace(admin, 'trading', {
        'strongroom.dev/guarded': 'true',
        'strongroom.dev/environment': 'Production',
      }),
    );
    research = cleanup.use(
      await createNamespace(admin, 'research', { 'strongroom.dev/guarded': 'true' }),
    );
    operator = await installation.start('one');
    const { scratch } = installation;
    for (const [name, groups] of [
      ['alice', ['desk-mm', 'risk']],
      ['bob', ['desk-mm']],
      ['mallory', []],
    ] as const) {
      const client = cleanup.use(
        await clientOf(await userKubeconfig(admin, name, groups, scratch)),
      );
      people.push({
        client,
        identity: { username: name, groups: [...groups, 'system:authenticated'] },
      });
    }
    await createAccount(trading.name, 'maker');
    const file = await kubeconfigOf(inject('kubeconfig'), trading.name, 'maker', scratch);
    people.push({
      client: cleanup.use(await clientOf(file)),
      identity: serviceAccountIdentity(trading.name, 'maker'),
    });
    for (const [namespace, name, environment, desk, minimumAccessLevel] of [
      [trading.name, 'maker', 'Production', 'mm', undefined],
      [trading.name, 'hedge', 'Production', 'risk', 'Write'],
      [research.name, 'maker', 'Development', 'mm', undefined],
      [research.name, 'sim', 'Staging', 'mm', 'Admin'],
      [research.name, 'feed', 'Production', 'data', undefined],
    ] as const) {
      await admin.create(
        EXCHANGE_CREDENTIALS,
        credential(namespace, name, environment, desk, minimumAccessLevel),
      );
    }
    credentials = await eventually(
      async () => {
        const all = await Promise.all(
          [trading, research].map(async ({ name }) => {
            const { items } = await admin.list<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
              namespace: name,
            });
            return items;
          }),
        );
        const items = all.flat();
        const isDelivered = items.every(({ status }) => status?.delivery !== undefined);
        return isDelivered && items.length === 5 ? items : undefined;
      },
      { what: 'the credentials to be delivered' },
    );
  });
  afterAll(async () => {
    await operator?.[Symbol.asyncDispose]();
    await cleanup.disposeAsync();
  });

  async function createAccount(namespace: string, name: string): Promise<void> {
    await admin.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace, name },
    });
  }

  async function apply(name: string, spec: AccessPolicySpec): Promise<AsyncDisposable> {
    await admin.apply<AccessPolicy>(
      ACCESS_POLICIES,
      {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name },
        spec,
      },
      { fieldManager: 'test', force: true },
    );
    return {
      async [Symbol.asyncDispose]() {
        await admin.delete(ACCESS_POLICIES, { name });
        await eventually(
          async () => {
            const left = await standing();
            return !left.some(({ metadata }) => metadata.name.split(':')[2] === name);
          },
          { what: `the RBAC of ${name} to go` },
        );
      },
    };
  }

  async function standing() {
    const lists = await Promise.all(
      [trading, research].flatMap(({ name: namespace }) => [
        admin.list(ROLES, { namespace }, OURS),
        admin.list(ROLE_BINDINGS, { namespace }, OURS),
      ]),
    );
    return lists.flatMap(({ items }) => items);
  }

  function settled(name: string): Promise<AccessPolicy> {
    return eventually(
      async () => {
        const policy = await admin.get<AccessPolicy>(ACCESS_POLICIES, { name });
        const ready = policy.status?.conditions?.find(({ type }) => type === 'Ready');
        const isCurrent = ready?.observedGeneration === policy.metadata.generation;
        return isCurrent && ready?.status === 'True' ? policy : undefined;
      },
      {
        what: `AccessPolicy ${name} to be Ready; the operator printed ${operator.output().slice(-4000)}`,
      },
    );
  }

  async function mayGet(person: Person, kind: 'credential' | 'secret', of: ExchangeCredential) {
    const { namespace = '', name } = of.metadata;
    try {
      if (kind === 'credential') await person.client.get(EXCHANGE_CREDENTIALS, { namespace, name });
      else await person.client.get(SECRETS, { namespace, name: `${name}-keys` });
      return true;
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) return false;
      throw error;
    }
  }

  async function mayDo(
    { identity }: Person,
    verb: string,
    group: string,
    resource: string,
    namespace: string,
    name?: string,
  ): Promise<boolean> {
    const { status } = await admin.create(SUBJECT_ACCESS_REVIEWS, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: { name: '' },
      spec: {
        user: identity.username,
        groups: identity.groups,
        resourceAttributes: { verb, group, resource, namespace, ...(name && { name }) },
      },
    });
    return status?.allowed === true;
  }

  function allows(index: PolicyIndex, person: Person, action: Action, of: ExchangeCredential) {
    return decide(index, {
      identity: person.identity,
      action,
      target: { kind: 'Credential', credential: factsOf(of) },
      atMs: Date.now(),
    }).allowed;
  }

  const someone: fc.Arbitrary<Subject> = fc.oneof(
    fc.constantFrom('alice', 'bob').map((name): Subject => ({ kind: 'User', name })),
    fc.constantFrom('desk-mm', 'risk', 'nobody').map((name): Subject => ({ kind: 'Group', name })),
    fc.constant('maker').map((name): Subject => ({
      kind: 'ServiceAccount',
      namespace: trading.name,
      name,
    })),
  );
  const specs = fc.record(
    {
      subjects: fc.uniqueArray(someone, {
        minLength: 1,
        maxLength: 2,
        selector: describeSubject,
      }),
      effect: fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny'),
      roles: fc.subarray([...POLICY_ROLES], { minLength: 1, maxLength: 2 }),
      permissions: fc.subarray([...PERMISSIONS], { maxLength: 2 }),
      accessLevel: fc.constantFrom(...ACCESS_LEVELS),
      environments: fc.subarray(['Development', 'Staging', 'Production'] as const, {
        minLength: 1,
      }),
      credentials: fc
        .record(
          {
            namespaces: fc.constantFrom<'trading' | 'research' | 'both' | 'all'>(
              'trading',
              'research',
              'both',
              'all',
            ),
            names: fc.subarray(['maker', 'sim', 'hedge', 'ghost'], { minLength: 1 }),
            selector: fc.record({ matchLabels: fc.constantFrom({ desk: 'mm' }, { desk: 'risk' }) }),
          },
          { requiredKeys: ['namespaces'] },
        )
        .map(({ namespaces, ...rest }) => ({
          ...rest,
          namespaces: {
            trading: () => [trading.name],
            research: () => [research.name],
            both: () => [trading.name, research.name],
            all: () => ['*'],
          }[namespaces](),
        })),
      constraints: fc.constant({ sourceRanges: ['10.0.0.0/8'] }),
    },
    { requiredKeys: ['subjects', 'roles', 'environments', 'credentials'] },
  ) as fc.Arbitrary<AccessPolicySpec>;

  it('lets RBAC allow what the evaluator allows, and nothing else, for random policies', async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    // Left to chance alone, hardly any Deny meets an Allow: here one takes from what another gives.
    const allow = specs.map(({ constraints: _constraints, ...spec }) => ({
      ...spec,
      effect: 'Allow' as const,
    }));
    const rounds = fc.sample(
      fc
        .record({
          allows: fc.array(allow, { minLength: 1, maxLength: 2 }),
          others: fc.array(specs, { maxLength: 2 }),
          given: fc.constantFrom('AccessSecrets' as const, 'ReadMarketData' as const),
          denied: fc.constantFrom<AccessPolicySpec['accessLevel']>('Read', 'Read', 'Write'),
          subjects: fc.option(fc.array(someone, { minLength: 1, maxLength: 1 })),
        })
        .map(({ allows: [first, ...rest], others, given, denied, subjects }) => {
          const permissions = [given, 'AccessSecrets' as const];
          const spec = { ...(first as AccessPolicySpec), permissions: [...new Set(permissions)] };
          const deny: AccessPolicySpec = {
            ...spec,
            effect: 'Deny',
            roles: [],
            permissions: ['AccessSecrets'],
            subjects: subjects ?? spec.subjects,
            accessLevel: denied ?? 'Read',
          };
          const narrow = { ...deny.credentials, names: ['maker', 'sim'] };
          return [spec, { ...deny, credentials: narrow }, ...rest, ...others];
        }),
      { numRuns: 16, seed },
    );
    for (const round of rounds) {
      const what = `seed ${seed}: ${JSON.stringify(round)}`;
      await using made = new AsyncDisposableStack();
      for (const [number, spec] of round.entries()) {
        made.use(await apply(`random-${number}`, spec));
      }
      let faults: readonly string[] = [];
      await eventually(
        async () => {
          const policies = await Promise.all(round.map((_, number) => settled(`random-${number}`)));
          const index = createPolicyIndex(policies);
          const found: string[] = [];
          for (const person of people) {
            for (const of of credentials) {
              found.push(...(await unequalReads(policies, index, person, of)));
            }
            found.push(...(await excessRights(index, person)));
          }
          faults = found;
          return found.length === 0;
        },
        { what, timeoutMs: 20_000, intervalMs: 250 },
      ).catch((error: unknown) => {
        if (faults.length === 0) throw error;
      });
      expect({ what, faults }).toEqual({ what, faults: [] });
    }
  });

  async function unequalReads(
    policies: readonly AccessPolicy[],
    index: PolicyIndex,
    person: Person,
    of: ExchangeCredential,
  ): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const [kind, action] of [
      ['credential', ACTIONS.view],
      ['secret', ACTIONS.retrieve],
    ] as const) {
      const stands = await mayGet(person, kind, of);
      if (stands === allows(index, person, action, of)) continue;
      const told = `${person.identity.username} ${action.name} ${of.metadata.namespace}/${of.metadata.name}`;
      if (stands) faults.push(`${told}: RBAC allows what the evaluator denies`);
      else if (!isWithheld(policies, person, of)) {
        faults.push(`${told}: withheld, and status does not say so`);
      }
    }
    return faults;
  }

  /** RBAC may say less than the evaluator only where a Deny of somebody else is in the way. */
  function isWithheld(
    policies: readonly AccessPolicy[],
    { identity }: Person,
    { metadata }: ExchangeCredential,
  ): boolean {
    const names = [
      `User ${identity.username}`,
      ...identity.groups.map((group) => `Group ${group}`),
    ];
    return policies.some(({ status }) =>
      status?.findings?.some(
        ({ type, subject = '', message }) =>
          type === 'WithheldByDeny' &&
          (names.includes(subject) || subject.startsWith('ServiceAccount')) &&
          message.includes(metadata.namespace ?? ''),
      ),
    );
  }

  /** What cannot be said exactly must never be said too widely. */
  async function excessRights(index: PolicyIndex, person: Person): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const { name: namespace } of [trading, research]) {
      const here = credentials.filter(({ metadata }) => metadata.namespace === namespace);
      const check = async (verb: string, group: string, resource: string, isAllowed: boolean) => {
        if (isAllowed || !(await mayDo(person, verb, group, resource, namespace))) return;
        faults.push(`${person.identity.username} may ${verb} ${resource} in ${namespace}`);
      };
      for (const [verb, action] of [
        ['list', ACTIONS.view],
        ['watch', ACTIONS.view],
        ['create', ACTIONS.create],
        ['update', ACTIONS.update],
        ['patch', ACTIONS.update],
        ['delete', ACTIONS.delete],
      ] as const) {
        const isAllowed = here.every((of) => allows(index, person, action, of));
        await check(verb, 'strongroom.dev', 'exchangecredentials', isAllowed);
      }
      for (const verb of ['list', 'watch', 'create', 'update', 'patch', 'delete']) {
        await check(verb, '', 'secrets', false);
      }
      await check('patch', 'strongroom.dev', 'exchangecredentials/status', false);
    }
    return faults;
  }

  it('takes the examples', async () => {
    const folder = path.resolve(import.meta.dirname, '../../examples');
    const files = (await readdir(folder)).filter((file) => file.startsWith('access-'));
    await using made = new AsyncDisposableStack();
    const ready: string[] = [];
    for (const file of files) {
      const documents = parseAllDocuments(await readFile(path.join(folder, file), 'utf8'));
      for (const document of documents) {
        const { metadata, spec } = document.toJS() as AccessPolicy;
        made.use(await apply(metadata.name, spec));
        ready.push((await settled(metadata.name)).metadata.name);
      }
    }
    expect(ready.length).toBeGreaterThanOrEqual(files.length);
    expect(files.length).toBeGreaterThan(0);
  });

  it('gives a desk its credentials and says how far it reaches', async () => {
    await using _ = await apply('desk', desk());
    const policy = await settled('desk');
    expect(policy.status).toMatchObject({
      subjects: 1,
      credentials: 1,
      namespaces: 1,
      rbacObjects: 2,
    });
    const [maker, hedge] = [named('maker'), named('hedge')];
    const [alice, , mallory] = people as [Person, Person, Person];
    // The API server's own cache of RBAC is a moment behind.
    await eventually(() => mayGet(alice, 'secret', maker), { what: 'alice to read the Secret' });
    expect(await mayGet(alice, 'secret', hedge)).toBe(false);
    expect(await mayGet(mallory, 'credential', maker)).toBe(false);
  });

  it('lets a desk ask for emergency access, also while a Deny takes the rest', async () => {
    await using _ = await apply('desk', desk());
    await settled('desk');
    const [alice, , mallory] = people as [Person, Person, Person];
    const may = (person: Person, verb: string, resource = 'emergencyaccesses') =>
      mayDo(person, verb, 'strongroom.dev', resource, trading.name);
    await eventually(() => may(alice, 'create'), { what: 'alice to ask' });
    await using _denied = await apply('freeze', { ...desk(), effect: 'Deny' });
    await settled('freeze');
    await eventually(async () => !(await mayGet(alice, 'secret', named('maker'))), {
      what: 'alice to lose the Secret',
    });
    // One Role takes the place of another.
    await eventually(() => may(alice, 'create'), { what: 'alice to ask all the same' });
    for (const verb of ['get', 'list', 'watch', 'create', 'update', 'patch']) {
      expect([verb, await may(alice, verb), await may(mallory, verb)]).toEqual([verb, true, false]);
    }
    expect(await may(alice, 'delete')).toBe(false);
    expect(await may(alice, 'patch', 'emergencyaccesses/status')).toBe(false);
  });

  it('never gives a Secret that somebody else made, whatever a credential calls its target', async () => {
    const at = { namespace: trading.name, name: 'bait-keys' };
    const meta = { apiVersion: 'v1', kind: 'Secret', metadata: at };
    await admin.create(SECRETS, { ...meta, data: { key: Buffer.from('x').toString('base64') } });
    const bait = credential(trading.name, 'bait', 'Production', 'mm', undefined);
    await admin.create(EXCHANGE_CREDENTIALS, bait);
    await using _ = await apply('bait', {
      ...desk(),
      credentials: { namespaces: [trading.name], names: ['bait', 'maker'] },
    });
    await settled('bait');
    const [alice] = people as [Person];
    await eventually(() => mayGet(alice, 'credential', bait), { what: 'alice to see it' });
    await eventually(() => mayGet(alice, 'secret', named('maker')), { what: 'alice to read' });
    expect(await mayGet(alice, 'secret', bait)).toBe(false);
    await admin.delete(EXCHANGE_CREDENTIALS, { ...at, name: 'bait' });
    await admin.delete(SECRETS, at);
  });

  it('follows labels, and names of Secrets, of credentials', async () => {
    await using _ = await apply('desk', {
      ...desk(),
      credentials: { namespaces: [research.name], selector: { matchLabels: { desk: 'new' } } },
      environments: ['Development', 'Staging', 'Production'],
    });
    await settled('desk');
    const at = { namespace: research.name, name: 'feed' };
    const feed = named('feed', research);
    const [alice] = people as [Person];
    expect(await mayGet(alice, 'secret', feed)).toBe(false);
    await admin.mergePatch(EXCHANGE_CREDENTIALS, at, { metadata: { labels: { desk: 'new' } } });
    await eventually(() => mayGet(alice, 'secret', feed), { what: 'alice to read the Secret' });
    await admin.mergePatch(EXCHANGE_CREDENTIALS, at, { metadata: { labels: { desk: 'data' } } });
    await eventually(async () => !(await mayGet(alice, 'secret', feed)), {
      what: 'alice to lose the Secret',
    });
  });

  it('gives nothing standing under a constraint, and says so', async () => {
    await using _ = await apply('hours', {
      ...desk(),
      constraints: { times: [{ schedule: '0 0 * * *', duration: '24h', timeZone: 'UTC' }] },
    });
    const { status } = await settled('hours');
    expect(status?.rbacObjects).toBe(0);
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'AccessGranted', status: 'False', reason: 'Constrained' }),
    );
    const [alice] = people as [Person];
    expect(await mayGet(alice, 'secret', named('maker'))).toBe(false);
  });

  it('puts back what somebody changes or deletes by hand, and tells of it', async () => {
    await using _ = await apply('desk', desk());
    await settled('desk');
    const at = { namespace: trading.name, name: 'strongroom:policy:desk' };
    const [, , mallory] = people as [Person, Person, Person];
    const maker = named('maker');
    await admin.mergePatch(ROLE_BINDINGS, at, {
      subjects: [{ kind: 'User', name: 'mallory', apiGroup: 'rbac.authorization.k8s.io' }],
    });
    await eventually(
      async () => (await admin.get(ROLE_BINDINGS, at)).subjects?.[0]?.name === 'desk-mm',
      { what: 'the binding to be put back' },
    );
    await admin.mergePatch(ROLES, at, {
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    });
    await eventually(async () => (await admin.get(ROLES, at)).rules?.[0]?.verbs[0] === 'get', {
      what: 'the role to be put back',
    });
    await admin.delete(ROLE_BINDINGS, at);
    await admin.delete(ROLES, at);
    await eventually(
      async () =>
        (await admin.find(ROLE_BINDINGS, at)) !== undefined &&
        (await admin.find(ROLES, at)) !== undefined,
      { what: 'both to be put back' },
    );
    expect(await mayGet(mallory, 'credential', maker)).toBe(false);
    await eventually(
      async () => {
        const { items } = await admin.list(EVENTS, { namespace: 'default' });
        return items.some(
          ({ reason, regarding }) => reason === 'AccessRestored' && regarding?.name === 'desk',
        );
      },
      { what: 'the Event' },
    );
  });

  it('withdraws what a ServiceAccount had once it is deleted', async () => {
    await createAccount(research.name, 'bot');
    await using _ = await apply('bots', {
      ...desk(),
      subjects: [
        { kind: 'ServiceAccount', namespace: research.name, name: 'bot' },
        { kind: 'ServiceAccount', namespace: trading.name, name: 'maker' },
      ],
    });
    const at = { namespace: trading.name, name: 'strongroom:policy:bots' };
    const bound = async () =>
      (await admin.find(ROLE_BINDINGS, at))?.subjects?.map(({ name }) => name);
    await eventually(async () => (await bound())?.length === 2, { what: 'both to be bound' });
    await admin.delete(SERVICE_ACCOUNTS, { namespace: research.name, name: 'bot' });
    await eventually(async () => (await bound())?.join() === 'maker', { what: 'one to be bound' });
    const { status } = await settled('bots');
    expect(status?.findings).toContainEqual(expect.objectContaining({ type: 'SubjectNotFound' }));
  });

  it('takes everything back when a namespace is not guarded any more', async () => {
    await using pen = await createNamespace(admin, 'pen', { 'strongroom.dev/guarded': 'true' });
    await admin.create(
      EXCHANGE_CREDENTIALS,
      credential(pen.name, 'maker', 'Production', 'mm', undefined),
    );
    await using _ = await apply('desk', { ...desk(), credentials: { namespaces: [pen.name] } });
    const list = () => admin.list(ROLE_BINDINGS, { namespace: pen.name }, OURS);
    await eventually(async () => (await list()).items.length === 1, { what: 'the binding' });
    await admin.mergePatch(
      NAMESPACES,
      { name: pen.name },
      { metadata: { labels: { 'strongroom.dev/guarded': null } } },
    );
    await eventually(async () => (await list()).items.length === 0, { what: 'the binding to go' });
    expect((await admin.list(ROLES, { namespace: pen.name }, OURS)).items).toEqual([]);
  });

  it('changes nothing when the operator is started anew', async () => {
    await using _ = await apply('desk', desk());
    await settled('desk');
    const versions = async () => {
      const policy = await admin.get(ACCESS_POLICIES, { name: 'desk' });
      return [policy, ...(await standing())].map(
        ({ metadata: { name, resourceVersion } }) => `${name} ${resourceVersion}`,
      );
    };
    // The review of foreign RBAC may still be on its way into the status.
    let before = await versions();
    await eventually(
      async () => {
        const now = await versions();
        const isQuiet = JSON.stringify(now) === JSON.stringify(before);
        before = now;
        return isQuiet;
      },
      { what: 'the status to come to rest', intervalMs: 2_500 },
    );
    await operator.stop();
    operator = await installation.start('two');
    await eventually(() => /"Ready"/.test(operator.output()), { what: 'readiness' });
    await eventually(
      async () =>
        (await operator.metrics()).includes('strongroom_access_rbac_objects{policy="desk"} 2'),
      { what: 'the policy to be looked at' },
    );
    expect(operator.output()).not.toMatch(/AccessGranted|AccessChanged|AccessWithdrawn/);
    expect(await versions()).toEqual(before);
  });

  it('brings a crowd of policies to its end through a crash', async () => {
    await using crowd = new AsyncDisposableStack();
    const names = Array.from({ length: 40 }, (_, number) => `crowd-${number}`);
    for (const made of await Promise.all(
      names.map((name, number) =>
        apply(name, { ...desk(), subjects: [{ kind: 'Group', name: `desk-${number}` }] }),
      ),
    )) {
      crowd.use(made);
    }
    await eventually(async () => (await standing()).length > 5, { what: 'some RBAC' });
    await operator.kill();
    const half = (await standing()).length;
    operator = await installation.start('three');
    await Promise.all(names.map(settled));
    const roles = await admin.list(ROLES, { namespace: trading.name }, OURS);
    const bindings = await admin.list(ROLE_BINDINGS, { namespace: trading.name }, OURS);
    expect(half).toBeGreaterThan(0);
    expect([roles.items.length, bindings.items.length]).toEqual([40, 40]);
    for (const { metadata, subjects } of bindings.items) {
      const [number] = /\d+$/.exec(metadata.name) ?? [];
      expect(subjects?.map(({ name }) => name)).toEqual([`desk-${number}`]);
    }
  });

  it('says that nobody administers until somebody does', async () => {
    const condition = async () => {
      const { data } = await admin.get(CONFIG_MAPS, {
        namespace: installation.namespace,
        name: 'strongroom-status',
      });
      const { conditions } = JSON.parse(data?.['status'] ?? '{}') as {
        conditions: readonly { type: string; status: string }[];
      };
      return conditions.find(({ type }) => type === 'AdministratorPresent')?.status;
    };
    const present = (status: string) =>
      eventually(async () => (await condition()) === status, { what: status });
    expect(await present('False')).toBe(true);
    await using _ = await apply('admins', {
      subjects: [{ kind: 'User', name: 'carol' }],
      roles: ['SecurityAdmin'],
      accessLevel: 'Admin',
      environments: ['Development', 'Staging', 'Production'],
      credentials: { namespaces: ['*'] },
    });
    expect(await present('True')).toBe(true);
  });

  function named(name: string, { name: namespace } = trading): ExchangeCredential {
    const found = credentials.find(
      ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
    );
    if (found === undefined) throw new Error(`there is no ${namespace}/${name}`);
    return found;
  }

  function desk(): AccessPolicySpec {
    return {
      subjects: [{ kind: 'Group', name: 'desk-mm' }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: [trading.name], names: ['maker'] },
    };
  }
});

function credential(
  namespace: string,
  name: string,
  environment: 'Development' | 'Staging' | 'Production',
  desk: string,
  minimumAccessLevel: 'Write' | 'Admin' | undefined,
): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { namespace, name, labels: { desk } },
    spec: {
      type: 'Password',
      environment,
      owner: desk,
      source: { generate: {} },
      delivery: { secret: { name: `${name}-keys` } },
      ...(minimumAccessLevel && { minimumAccessLevel }),
    },
  };
}
