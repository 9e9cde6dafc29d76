import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { policyOf } from '../../src/access/testing/builders.ts';
import { createConfigurationController } from '../../src/admission/configuration/controller.ts';
import type { AdmissionConfiguration } from '../../src/admission/configuration/deps.ts';
import { strictNamespacesIn } from '../../src/admission/configuration/webhooks.ts';
import { credentialOf } from '../../src/admission/testing/core-objects.ts';
import { worldOf } from '../../src/admission/testing/world-of.ts';
import type { AdmissionWorld } from '../../src/admission/world.ts';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { ANNOTATIONS } from '../../src/api/names.ts';
import { NAMESPACE_ACCESSES } from '../../src/api/namespace-access.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject, ValidatingWebhookConfiguration } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { binary, startControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { clientOf } from './identities.ts';

const OPERATOR_NAMESPACE = 'strongroom-system';
const OPERATOR = `system:serviceaccount:${OPERATOR_NAMESPACE}:strongroom-operator`;
const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const AT = { name: 'strongroom-admission' };
const MEMORY = { namespace: OPERATOR_NAMESPACE, name: 'strongroom-admission' };

const ALLOW = policyOf({ subjects: [{ kind: 'User', name: 'alice' }] }, 'allow');
const AT_NIGHT = policyOf(
  {
    subjects: [{ kind: 'User', name: 'bob' }],
    constraints: { times: [{ schedule: '0 22 * * *', duration: '8h', timeZone: 'UTC' }] },
  },
  'at-night',
);

const cleanup = new AsyncDisposableStack();
let admin: KubeClient;
let operator: KubeClient;
/** Of a certificate that nobody serves with: webhooks of this test are never answered. */
let bundle: string;

beforeAll(async () => {
  const controlPlane = await startControlPlane({ progress: (line) => console.error(line) });
  cleanup.defer(() => controlPlane.stop());
  admin = cleanup.use(await clientOf(controlPlane.kubeconfigPath));
  bundle = controlPlane.caPem;
  const kubectl = await binary('kubectl');
  const run = (...args: string[]) =>
    execute(kubectl, ['--kubeconfig', controlPlane.kubeconfigPath, ...args]);
  await run('apply', '--server-side', '-f', path.join(root, 'crds'));
  await run('wait', '--for=condition=Established', '--timeout=60s', '-f', path.join(root, 'crds'));
  for (const name of [OPERATOR_NAMESPACE, 'trading']) {
    await admin.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        ...(name === 'trading' ? { labels: { 'strongroom.dev/guarded': 'true' } } : {}),
      },
    });
  }
  await applyRights(kubectl, controlPlane.kubeconfigPath, controlPlane.directory);
  operator = cleanup.use(
    await clientOf(
      await controlPlane.kubeconfigFor(OPERATOR, [
        'system:serviceaccounts',
        `system:serviceaccounts:${OPERATOR_NAMESPACE}`,
      ]),
    ),
  );
});
afterAll(() => cleanup.disposeAsync());

/** The chart's, and no more. */
async function applyRights(kubectl: string, kubeconfig: string, directory: string): Promise<void> {
  const { stdout } = await execute(
    await binary('helm'),
    [
      'template',
      'strongroom',
      path.join(root, 'charts/strongroom'),
      '--namespace',
      OPERATOR_NAMESPACE,
      '--set',
      'image.repository=localhost/strongroom',
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  const rights = [...parseAllDocuments(stdout)]
    .map((document) => document.toJS() as { readonly kind: string } | null)
    .filter((one) => /^(Cluster)?Role(Binding)?$/.test(one?.kind ?? ''));
  const file = path.join(directory, 'rights.yaml');
  await writeFile(file, rights.map((one) => stringify(one)).join('---\n'));
  await execute(kubectl, ['--kubeconfig', kubeconfig, 'apply', '-f', file]);
}

interface Running extends AsyncDisposable {
  readonly configuration: AdmissionConfiguration;
  readonly acts: string[];
  readonly events: string[];
  setPolicies(policies: readonly AccessPolicy[]): void;
  setGuarded(isGuarded: boolean): void;
  setBundle(pem: string): void;
}

/** Another leader: with caches of its own. */
async function start(policies: readonly AccessPolicy[] = [ALLOW]): Promise<Running> {
  const stop = new AbortController();
  const acts: string[] = [];
  const events: string[] = [];
  let current = bundle;
  let isGuarded = true;
  let world = worldWith(policies);
  const told: Record<string, ((change: never, initial: boolean) => void)[]> = {};
  const feed = (name: string) => ({
    onChange: (handler: (change: never, initial: boolean) => void) =>
      void (told[name] ??= []).push(handler),
  });
  const bundleHandlers: (() => void)[] = [];
  const tell = (name: string, change: unknown): void => {
    for (const handler of told[name] ?? []) handler(change as never, false);
  };

  function worldWith(list: readonly AccessPolicy[]): AdmissionWorld {
    return worldOf({
      policies: list,
      credentials: [credentialOf('maker')],
      namespaces: [{ name: 'trading', isGuarded }],
    });
  }
  const configuration = createConfigurationController({
    client: operator,
    world: {
      policyIndex: () => world.policyIndex(),
      guardedNamespaces: () => world.guardedNamespaces(),
      credentials: (namespace) => world.credentials(namespace),
      formerSecrets: (namespace) => world.formerSecrets(namespace),
    },
    policies: feed('policies'),
    namespaces: feed('namespaces'),
    credentials: feed('credentials'),
    onPods: () => undefined,
    caBundle: {
      current: () => current,
      onChange: (handler) => void bundleHandlers.push(handler),
    },
    audit: (record) => {
      if (record.outcome === 'Succeeded') acts.push(`${record.act} ${record.object.name}`);
      return Promise.resolve();
    },
    events: {
      emit: ({ reason, object }) => void events.push(`${reason} ${object.metadata.name}`),
      flush: () => Promise.resolve(),
    },
    clock: systemClock,
    random: Math.random,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    operator: {
      namespace: OPERATOR_NAMESPACE,
      serviceAccount: 'strongroom-operator',
      instance: 'test',
    },
    options: {
      endpoint: { url: 'https://127.0.0.1:1' },
      ownerClusterRole: 'strongroom-operator',
      detectsCopies: true,
    },
  });
  const running = [...configuration.informers, ...configuration.controllers].map((one) =>
    one.run(stop.signal),
  );
  for (const { ready } of configuration.informers) await ready?.(stop.signal);
  return {
    configuration,
    acts,
    events,
    setPolicies(list) {
      world = worldWith(list);
      for (const object of list) tell('policies', { type: 'Added', object });
    },
    setGuarded(value) {
      isGuarded = value;
      world = worldWith(policies);
      tell('namespaces', { type: 'Added', object: { metadata: { name: 'trading' } } });
    },
    setBundle(pem) {
      current = pem;
      for (const handler of bundleHandlers) handler();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled(running);
    },
  };
}

const validating = (): Promise<ValidatingWebhookConfiguration | undefined> =>
  admin.find(VALIDATING_WEBHOOKS, AT);
const access = () => admin.find(NAMESPACE_ACCESSES, { namespace: 'trading', name: 'strongroom' });

async function isApplied(): Promise<boolean> {
  const memory = await admin.find(CONFIG_MAPS, MEMORY);
  const text = memory?.data?.['applied'];
  if (text === undefined) return false;
  const entries = Object.values(JSON.parse(text) as Record<string, { found?: string }>);
  return entries.length > 0 && entries.every(({ found }) => found !== undefined);
}

/** Of everything that it writes: what changed when nothing should have. */
async function versions(): Promise<Readonly<Record<string, string | undefined>>> {
  const everywhere = { allNamespaces: true } as const;
  const lists = [
    await admin.list(VALIDATING_WEBHOOKS, everywhere),
    await admin.list(MUTATING_WEBHOOKS, everywhere),
    await admin.list(VALIDATING_POLICY_BINDINGS, everywhere),
  ].map(({ items }) => items);
  const all: readonly (KubeObject | undefined)[] = [
    ...lists.flat(),
    await access(),
    await admin.find(CONFIG_MAPS, MEMORY),
  ];
  return Object.fromEntries(
    all.map((one) => [
      `${one?.kind ?? ''} ${one?.metadata.name ?? ''}`,
      one?.metadata.resourceVersion,
    ]),
  );
}

describe('configuration of admission, with the rights of the chart', () => {
  it('applies all of it at a first start, owned by the chart', async () => {
    await using leader = await start();
    await eventually(isApplied, { what: 'all to be applied' });
    const owner = await admin.get(CLUSTER_ROLES, { name: 'strongroom-operator' });
    const found = await validating();
    expect(found?.metadata.ownerReferences).toMatchObject([
      { kind: 'ClusterRole', name: 'strongroom-operator', uid: owner.metadata.uid },
    ]);
    expect(found?.webhooks?.map(({ name }) => name)).toEqual([
      'objects.strongroom.dev',
      'namespaces.strongroom.dev',
      'guard.strongroom.dev',
      'generated.strongroom.dev',
      'nodes.strongroom.dev',
      'pods.strongroom.dev',
      'copies.strongroom.dev',
    ]);
    expect((await admin.list(VALIDATING_POLICIES, { allNamespaces: true })).items.length).toBe(
      (await admin.list(VALIDATING_POLICY_BINDINGS, { allNamespaces: true })).items.length,
    );
    expect((await access())?.spec).toEqual({
      secrets: { maker: [0] },
      rules: [{ subjects: { 'User:alice': 'Allow' } }],
    });
    expect(leader.configuration.drift()).toEqual([]);
    await eventually(() => leader.configuration.bundleObserved(), {
      what: 'the bundle to be seen',
    });
  });

  it('writes nothing when another leader finds all as it should be', async () => {
    const before = await versions();
    await using leader = await start();
    // A pass that has something to do ends behind one that has not.
    leader.setPolicies([AT_NIGHT]);
    await eventually(async () => JSON.stringify((await access())?.spec).includes('MayAllow'), {
      what: 'the table to be open',
    });
    leader.setPolicies([ALLOW]);
    await eventually(async () => strictNamespacesIn((await validating()) ?? {}).length === 0, {
      what: 'the namespace to be so no more',
    });
    const after = await versions();
    const changed = Object.keys(before).filter((key) => before[key] !== after[key]);
    expect(changed.sort()).toEqual([
      'ConfigMap strongroom-admission',
      'NamespaceAccess strongroom',
      'ValidatingWebhookConfiguration strongroom-admission',
    ]);
  });

  it('has the webhook answer for a strict namespace before its table says so, and after', async () => {
    await using leader = await start();
    const seen: string[] = [];
    const stop = new AbortController();
    const isStrictNow = async (): Promise<string> => {
      const [table, configuration] = await Promise.all([access(), validating()]);
      const isOpen = JSON.stringify(table?.spec).includes('May');
      return `${isOpen ? 'open' : 'closed'}/${strictNamespacesIn(configuration ?? {}).length === 1 ? 'asked' : 'not asked'}`;
    };
    const watching = (async () => {
      while (!stop.signal.aborted) seen.push(await isStrictNow());
    })();
    for (const [policies, state] of [
      [[AT_NIGHT], 'open/asked'],
      [[ALLOW], 'closed/not asked'],
    ] as const) {
      leader.setPolicies(policies);
      await eventually(async () => (await isStrictNow()) === state, { what: state });
    }
    stop.abort();
    await watching;
    expect(seen).not.toContain('open/not asked');
    expect(seen).toContain('open/asked');
  });

  it('tells what others deleted or changed, leaves it so, and puts it back when it is asked to', async () => {
    await using leader = await start();
    await admin.delete(VALIDATING_WEBHOOKS, AT);
    await admin.mergePatch(
      VALIDATING_POLICIES,
      { name: 'strongroom-pods' },
      { spec: { failurePolicy: 'Ignore' } },
    );
    const drift = await eventually(
      () => {
        const found = leader.configuration.drift();
        return found.length === 2 ? found : undefined;
      },
      { what: 'the drift' },
    );
    expect(drift.map(({ kind, name, what }) => `${what}: ${kind} ${name}`)).toEqual([
      'Changed: ValidatingAdmissionPolicy strongroom-pods',
      'Missing: ValidatingWebhookConfiguration strongroom-admission',
    ]);
    expect(leader.events.sort()).toEqual([
      'AdmissionConfigurationChanged strongroom-pods',
      'AdmissionConfigurationMissing strongroom-admission',
    ]);
    // Neither another wish nor another leader is a reason.
    leader.setPolicies([AT_NIGHT]);
    await eventually(async () => JSON.stringify((await access())?.spec).includes('MayAllow'), {
      what: 'the table to be written all the same',
    });
    await leader[Symbol.asyncDispose]();
    await using second = await start([ALLOW]);
    await eventually(() => second.configuration.drift().length === 2, { what: 'the drift again' });
    expect(await validating()).toBeUndefined();
    expect(
      (await admin.get(VALIDATING_POLICIES, { name: 'strongroom-pods' })).spec.failurePolicy,
    ).toBe('Ignore');

    await admin.mergePatch(CONFIG_MAPS, MEMORY, {
      metadata: { annotations: { [ANNOTATIONS.restore]: 'now' } },
    });
    await eventually(
      async () => {
        const memory = await admin.get(CONFIG_MAPS, MEMORY);
        return memory.metadata.annotations?.[ANNOTATIONS.restore] === undefined;
      },
      { what: 'the request to be carried out' },
    );
    expect(await validating()).toBeDefined();
    expect(
      (await admin.get(VALIDATING_POLICIES, { name: 'strongroom-pods' })).spec.failurePolicy,
    ).toBe('Fail');
    await eventually(() => second.configuration.drift().length === 0, { what: 'no drift' });
  });

  it('keeps the CA bundle right, also on what others changed', async () => {
    await using leader = await start();
    await admin.jsonPatch(VALIDATING_WEBHOOKS, AT, [
      { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' },
    ]);
    await eventually(() => leader.configuration.drift().length === 1, { what: 'the drift' });
    const renewed = `${bundle}\n${bundle}`;
    leader.setBundle(renewed);
    await eventually(() => leader.configuration.bundleObserved(), { what: 'the bundle' });
    for (const resource of [VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS]) {
      const { webhooks = [] } = await admin.get(resource, AT);
      for (const { clientConfig } of webhooks) {
        expect(Buffer.from(clientConfig.caBundle ?? '', 'base64').toString()).toBe(renewed);
      }
    }
    expect((await validating())?.webhooks?.[0]?.failurePolicy).toBe('Ignore');
    expect(leader.configuration.drift()).toHaveLength(1);
    await admin.mergePatch(CONFIG_MAPS, MEMORY, {
      metadata: { annotations: { [ANNOTATIONS.restore]: 'again' } },
    });
    await eventually(() => leader.configuration.drift().length === 0, { what: 'no drift' });
  });

  it('takes the table away where a namespace is guarded no more', async () => {
    await using leader = await start();
    leader.setGuarded(false);
    await eventually(async () => (await access()) === undefined, { what: 'the table to go' });
    expect(leader.acts).toContain('NamespaceAccessRemoved strongroom');
  });
});
