/**
 * The commands that ask about access, with a real cluster: what they say online, and the same from
 * files of the same objects; and what they say where the person lacks the rights to look.
 */
import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicy, AccessPolicySpec } from '../../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { run } from '../../src/cli/run.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject, PolicyRule } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  NAMESPACES,
  ROLE_BINDINGS,
  ROLES,
} from '../../src/kube/resources.ts';
import { captureIo } from '../cli/capture-io.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import { userKubeconfig } from './identities.ts';

const RBAC = 'rbac.authorization.k8s.io';
const NOW = Date.parse('2026-11-24T12:00:00Z');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('who-can, can-i and explain', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let directory: string;
  let namespace: string;
  let alice: string;
  let aliceConfig: string;

  beforeAll(async () => {
    client = cleanup.use(await connect());
    directory = cleanup.use(await mkdtempDisposable(path.join(tmpdir(), 'access-'))).path;
    namespace = cleanup.use(
      await createNamespace(client, 'access', { 'strongroom.dev/guarded': 'true' }),
    ).name;
    alice = `alice-${namespace}`;
    aliceConfig = await userKubeconfig(client, alice, [`desk-${namespace}`], directory);
    for (const name of ['maker', 'taker']) {
      await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'ExchangeCredential',
        metadata: { name, namespace },
        spec: {
          exchange: 'Hyperliquid',
          type: 'PrivateKey',
          environment: 'Production',
          owner: 'market-making',
          source: { generate: {} },
          delivery: { secret: { name: `${name}-secret` } },
        },
      });
    }
    await apply(
      policy('desk', {
        subjects: [
          { kind: 'Group', name: `desk-${namespace}` },
          { kind: 'ServiceAccount', namespace, name: 'maker' },
        ],
        permissions: ['AccessSecrets'],
        accessLevel: 'Write',
        environments: ['Production'],
        credentials: { namespaces: [namespace], names: ['maker'] },
      }),
    );
    await apply(
      policy('office', {
        subjects: [{ kind: 'User', name: 'otto' }],
        roles: ['SecurityAdmin'],
        accessLevel: 'Admin',
        environments: ['Production'],
        credentials: { namespaces: [namespace] },
        constraints: { sourceRanges: ['10.20.0.0/16'] },
      }),
    );
    await client.create(ROLES, {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata: { name: 'debug', namespace },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }],
    });
    await client.create(ROLE_BINDINGS, {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'debug', namespace },
      roleRef: { apiGroup: RBAC, kind: 'Role', name: 'debug' },
      subjects: [{ apiGroup: RBAC, kind: 'User', name: 'mallory' }],
    });
  });
  afterAll(() => cleanup.disposeAsync());

  function policy(name: string, spec: AccessPolicySpec): AccessPolicy {
    return {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata: { name: `${name}-${namespace}` },
      spec,
    };
  }

  async function apply(object: AccessPolicy): Promise<void> {
    const { name } = object.metadata;
    await client.create<AccessPolicy>(ACCESS_POLICIES, object);
    cleanup.defer(() => client.delete(ACCESS_POLICIES, { name }).catch(() => undefined));
  }

  async function grant(name: string, rules: readonly PolicyRule[]): Promise<void> {
    const metadata = { name: `${name}-${namespace}` };
    await client.create(CLUSTER_ROLES, {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRole',
      metadata,
      rules,
    });
    cleanup.defer(() => client.delete(CLUSTER_ROLES, metadata));
    await client.create(CLUSTER_ROLE_BINDINGS, {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: metadata.name },
      subjects: [{ apiGroup: RBAC, kind: 'User', name: alice }],
    });
    cleanup.defer(() => client.delete(CLUSTER_ROLE_BINDINGS, metadata));
  }

  async function strongroom(kubeconfig: string, ...argv: readonly string[]): Promise<Ran> {
    const io = captureIo({ cwd: directory, env: { KUBECONFIG: kubeconfig }, now: NOW });
    const code = await run(io, argv);
    return { code, out: io.out(), err: io.err() };
  }

  const admin = (...argv: readonly string[]): Promise<Ran> =>
    strongroom(inject('kubeconfig'), ...argv, '-n', namespace);

  /** Without a cluster: every call would fail. */
  const offline = (...argv: readonly string[]): Promise<Ran> =>
    strongroom('/nonexistent', ...argv, '-n', namespace, '-f', 'export');

  /** As `kubectl get -o json` writes them. */
  async function exportObjects(): Promise<void> {
    const all = { allNamespaces: true } as const;
    const kinds: readonly (readonly [string, string, readonly KubeObject[]])[] = [
      [
        'AccessPolicy',
        'strongroom.dev/v1alpha1',
        (await client.list<AccessPolicy>(ACCESS_POLICIES, all)).items,
      ],
      [
        'ExchangeCredential',
        'strongroom.dev/v1alpha1',
        (await client.list<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace })).items,
      ],
      ['Namespace', 'v1', [await client.get(NAMESPACES, { name: namespace })]],
      ['Role', `${RBAC}/v1`, (await client.list(ROLES, all)).items],
      ['RoleBinding', `${RBAC}/v1`, (await client.list(ROLE_BINDINGS, all)).items],
      ['ClusterRole', `${RBAC}/v1`, (await client.list(CLUSTER_ROLES, all)).items],
      ['ClusterRoleBinding', `${RBAC}/v1`, (await client.list(CLUSTER_ROLE_BINDINGS, all)).items],
    ];
    await mkdir(path.join(directory, 'export'), { recursive: true });
    for (const [kind, apiVersion, items] of kinds) {
      const list = { apiVersion, kind: `${kind}List`, items };
      await writeFile(path.join(directory, 'export', `${kind}.json`), JSON.stringify(list));
    }
  }

  it.each([
    ['who-can', 'retrieve', 'maker'],
    ['who-can', 'rotate', 'taker', '--source-address', '10.20.1.1'],
    ['who-can', 'create', '--environment', 'Production'],
    ['who-can', 'AccessSecrets', '--level', 'Write'],
    ['can-i', '--as', 'otto'],
    ['can-i', '--as-service-account', 'NAMESPACE/maker'],
    ['can-i', 'retrieve', 'maker', '--as', 'alice', '--as-group', 'desk-NAMESPACE'],
    ['can-i', 'retrieve', 'taker', '--as', 'alice', '--as-group', 'desk-NAMESPACE'],
    ['explain', 'rotate', 'maker', '--as', 'alice', '--as-group', 'desk-NAMESPACE'],
    ['explain', 'retrieve', 'taker', '--as', 'otto'],
  ])('answers the same from files of the same objects: %s %s %s', async (...words) => {
    const argv = words.map((word) => word.replace('NAMESPACE', namespace));
    await exportObjects();
    for (const format of ['table', 'json']) {
      const online = await admin(...argv, '-o', format);
      const files = await offline(...argv, '-o', format);
      expect([files.code, files.out]).toEqual([online.code, online.out]);
      expect(online.err + files.err).toBe('');
    }
  });

  it('says that a credential is not there, online and in files', async () => {
    await exportObjects();
    expect(await admin('who-can', 'retrieve', 'nope')).toMatchObject({
      code: 3,
      err: expect.stringContaining(`ExchangeCredential ${namespace}/nope does not exist`),
    });
    expect(await offline('who-can', 'retrieve', 'nope')).toMatchObject({
      code: 3,
      err: expect.stringContaining(`ExchangeCredential ${namespace}/nope is not in export`),
    });
  });

  it('names holders with their policies, and the RBAC that rounds them', async () => {
    const { out } = await admin('who-can', 'retrieve', 'maker', '-o', 'json');
    const answer = JSON.parse(out) as {
      readonly holders: readonly { readonly subject: { readonly name: string } }[];
      readonly weaknesses: readonly {
        readonly type: string;
        readonly namespace: string;
        readonly subject: { readonly name: string };
      }[];
    };
    expect(answer.holders.map(({ subject }) => subject.name)).toEqual([
      `desk-${namespace}`,
      'maker',
      'otto',
    ]);
    expect(answer.weaknesses).toContainEqual(
      expect.objectContaining({
        type: 'SecretRead',
        namespace,
        subject: expect.objectContaining({ name: 'mallory' }) as unknown,
      }),
    );
  });

  it('looks at every guarded namespace when asked to', async () => {
    const argv = ['who-can', 'retrieve', '-A', '-o', 'json'];
    const { code, out, err } = await strongroom(inject('kubeconfig'), ...argv);
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({
      request: { namespace: '*' },
      weaknesses: expect.arrayContaining([expect.objectContaining({ namespace })]) as unknown,
    });
    const list = await strongroom(inject('kubeconfig'), 'can-i', '-A', '--as', 'otto');
    expect(list.out).toContain(`${namespace}/maker`);
  });

  it('answers before a policy is applied as it does afterwards', async () => {
    const object = policy('more', {
      subjects: [{ kind: 'User', name: 'nina' }],
      permissions: ['AccessSecrets'],
      accessLevel: 'Admin',
      environments: ['Production'],
      credentials: { namespaces: [namespace], names: ['taker'] },
    });
    await writeFile(path.join(directory, 'more.yaml'), JSON.stringify(object));
    const asked = [
      ['who-can', 'rotate', 'taker'],
      ['can-i', '--as', 'nina'],
      ['explain', 'rotate', 'taker', '--as', 'nina'],
    ];
    const planned: Record<string, unknown>[] = [];
    for (const argv of asked) {
      const { out } = await admin(...argv, '--with', 'more.yaml', '-o', 'json');
      planned.push(JSON.parse(out) as Record<string, unknown>);
    }
    expect(planned[0]?.['changes']).toEqual([
      {
        change: 'Gained',
        subject: { kind: 'User', name: 'nina' },
        action: 'rotate',
        credential: { namespace, name: 'taker' },
        before: 'no',
        after: 'yes',
      },
    ]);
    const overview = await admin('who-can', '--with', 'more.yaml');
    expect(overview.out).toMatch(/Gained +User nina +\S+\/taker +no +yes +view, retrieve, mount,/);
    expect(await admin('can-i', 'rotate', 'taker', '--as', 'nina')).toMatchObject({ code: 1 });

    await apply(object);
    for (const [index, argv] of asked.entries()) {
      const { changes, ...before } = planned[index] ?? {};
      const { out } = await admin(...argv, '-o', 'json');
      expect(JSON.parse(out)).toEqual(before);
      expect(changes).not.toEqual([]);
    }
    const lost = await admin('who-can', 'rotate', 'taker', '--without', object.metadata.name);
    expect(lost.out).toMatch(/Lost +User nina/);
  });

  it('asks the API server who we are', async () => {
    expect(await admin('can-i', 'delete', 'maker')).toMatchObject({
      code: 0,
      out: 'yes: a member of system:masters is above all policies\n',
    });
  });

  it('names the right that is missing, rather than nobody', async () => {
    const asAlice = (...argv: readonly string[]) =>
      strongroom(aliceConfig, ...argv, '-n', namespace);
    for (const argv of [
      ['who-can', 'retrieve', 'maker'],
      ['can-i'],
      ['explain', 'view', 'maker'],
    ]) {
      const ran = await asAlice(...argv);
      expect(ran).toMatchObject({ code: 4, out: '' });
      expect(ran.err).toContain(
        'you may not list accesspolicies.strongroom.dev in the whole cluster',
      );
    }
    await grant('reader', [
      {
        apiGroups: ['strongroom.dev'],
        resources: ['accesspolicies', 'exchangecredentials'],
        verbs: ['get', 'list'],
      },
    ]);
    await eventually(async () => (await asAlice('can-i')).code === 0, { what: 'the grant' });
    expect((await asAlice('can-i')).out).toContain(`For ${alice}, in desk-${namespace}`);
    expect(await asAlice('can-i', 'update', 'maker')).toMatchObject({ code: 0 });
    expect(await asAlice('can-i', 'rotate', 'maker')).toMatchObject({ code: 1 });
    const { code, out } = await asAlice('who-can', 'retrieve', 'maker');
    expect(code).toBe(0);
    expect(out).toContain(`Group desk-${namespace}`);
    for (const right of [
      `roles.rbac.authorization.k8s.io in namespace ${namespace}`,
      'clusterrolebindings.rbac.authorization.k8s.io in the whole cluster',
    ]) {
      expect(out).toContain(`some RBAC was not looked at: you may not list ${right}`);
    }
  });

  it('prints the status of the installation', async () => {
    const on = ['--operator-namespace', namespace];
    const kubeconfig = inject('kubeconfig');
    expect(await strongroom(kubeconfig, 'status', '--installation', ...on)).toMatchObject({
      code: 3,
      err: expect.stringContaining(`ConfigMap ${namespace}/strongroom-status does not exist`),
    });
    const status = {
      conditions: [
        {
          type: 'AdministratorPresent',
          status: 'False',
          reason: 'NobodyHoldsManageUsers',
          message: 'Nobody',
          lastTransitionTime: '2026-11-24T11:00:00Z',
        },
      ],
      findings: [],
      findingCount: 0,
    };
    await client.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'strongroom-status' },
      data: { status: JSON.stringify(status) },
    });
    const table = await strongroom(kubeconfig, 'status', '--installation', ...on);
    expect(table.out).toMatch(/AdministratorPresent +False +1h +NobodyHoldsManageUsers +Nobody/);
    const json = await strongroom(kubeconfig, 'status', '--installation', '-o', 'json', ...on);
    expect(JSON.parse(json.out)).toEqual(status);
  });
});
