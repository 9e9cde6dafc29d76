/**
 * What the backends are given, applied to a real API server that has the projects' published CRDs.
 * No engine of theirs runs here.
 */
import { execFile } from 'node:child_process';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FIELD_MANAGER } from '../../src/api/names.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ServedVersion } from '../../src/kube/discovery.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { apiVersionOf } from '../../src/kube/resource.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { BACKEND_RESOURCES } from '../../src/network/backends/backend-resources.ts';
import type { BackendName } from '../../src/network/backends/backend.ts';
import { compileCalico } from '../../src/network/backends/calico.ts';
import { compileCiliumFqdn } from '../../src/network/backends/cilium-fqdn.ts';
import { compileCilium } from '../../src/network/backends/cilium.ts';
import { compileClusterNetworkPolicy } from '../../src/network/backends/cluster-network-policy.ts';
import { detectBackends } from '../../src/network/backends/detect-backends.ts';
import {
  factsOf,
  groupOf,
  longNamespaces,
  manyAddresses,
  NOTHING,
} from '../../src/network/backends/testing/samples.ts';
import type { BlockGroup } from '../../src/network/blocks/groups.ts';
import { binary } from '../cluster/index.ts';
import { calicoCrds, publishedCrds } from '../crds/published-crds.ts';
import type { Crd } from '../crds/published-crds.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';

const DEFINITIONS: Resource<Crd> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const API_SERVICES: Resource = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
};
const CALICO_KINDS = ['tiers', 'globalnetworksets', 'globalnetworkpolicies'];
const CILIUM_KINDS = [
  'ciliumcidrgroups.cilium.io',
  'ciliumclusterwidenetworkpolicies.cilium.io',
  'ciliumnetworkpolicies.cilium.io',
];
const CNP_KINDS = ['clusternetworkpolicies.policy.networking.k8s.io'];
const OURS = 'app.kubernetes.io/managed-by=strongroom,strongroom.dev/component=network';

const guardedNamespaces = longNamespaces(200);
const both = factsOf('IPv4', 'IPv6');
const CASES: readonly (readonly [string, readonly BlockGroup[]])[] = [
  [
    'both families, both directions, all and named namespaces',
    [
      groupOf(['198.51.100.0/24', '2001:db8:1::/48'], { key: 'ingress', direction: 'Ingress' }),
      groupOf(['198.51.100.7', '2001:db8::7']),
      groupOf(['203.0.113.0/25'], {
        key: 'ingress a,b',
        direction: 'Ingress',
        namespaces: guardedNamespaces.slice(0, 2),
      }),
    ],
  ],
  [
    '200 namespaces with names of 63 characters',
    [
      groupOf(['198.51.100.7'], {
        key: `egress ${guardedNamespaces.join()}`,
        namespaces: guardedNamespaces,
      }),
    ],
  ],
  [
    'keys of 253 characters that differ at their ends',
    [
      groupOf(['198.51.100.7'], { key: `${'k'.repeat(252)}1` }),
      groupOf(['2001:db8:1:2:3:4:5:6'], { key: `${'k'.repeat(252)}2` }),
    ],
  ],
  ['all of both families', [groupOf(['0.0.0.0/0', '::/0'])]],
  ['50,000 CIDRs', [groupOf(manyAddresses(50_000))]],
];

let client: KubeClient;
beforeAll(async () => {
  client = await connect();
});
afterAll(() => client[Symbol.asyncDispose]());

describe.each<{
  readonly title: string;
  readonly name: BackendName;
  readonly crds: () => Promise<readonly Crd[]>;
  readonly compile: typeof compileCilium;
  readonly versions: readonly string[];
}>([
  {
    title: 'Cilium 1.20',
    name: 'Cilium',
    crds: () => publishedCrds('cilium', CILIUM_KINDS),
    compile: compileCilium,
    versions: ['cilium.io/v2'],
  },
  {
    title: 'Calico, projectcalico.org/v3',
    name: 'Calico',
    crds: () => calicoCrds('projectcalico.org', CALICO_KINDS),
    compile: compileCalico,
    versions: ['projectcalico.org/v3'],
  },
  {
    title: 'Calico, the CRDs behind its API server',
    name: 'Calico',
    crds: () => calicoCrds('crd.projectcalico.org', CALICO_KINDS),
    compile: compileCalico,
    versions: ['crd.projectcalico.org/v1'],
  },
  {
    title: 'network-policy-api 0.3',
    name: 'ClusterNetworkPolicy',
    crds: () => publishedCrds('cluster-network-policy', CNP_KINDS),
    compile: compileClusterNetworkPolicy,
    versions: ['policy.networking.k8s.io/v1beta1'],
  },
  {
    title: 'network-policy-api 0.2',
    name: 'ClusterNetworkPolicy',
    crds: () => publishedCrds('cluster-network-policy-0.2', CNP_KINDS),
    compile: compileClusterNetworkPolicy,
    versions: ['policy.networking.k8s.io/v1alpha2'],
  },
])('with the CRDs of $title', ({ name, crds, compile, versions }) => {
  const cleanup = new AsyncDisposableStack();
  let served: readonly ServedVersion[];

  beforeAll(async () => {
    await eventually(
      async () => isDeepStrictEqual(detectBackends(await client.discover()), ['NetworkPolicy']),
      { what: 'the CRDs of others to be forgotten' },
    );
    served = await install(cleanup, await crds());
  });
  afterAll(() => cleanup.disposeAsync());

  it(`${name} is found, and no other backend`, () => {
    expect(detectBackends(served)).toEqual(['NetworkPolicy', name]);
  });

  it.each(CASES)(
    '%s: accepted without an unknown field, and kept as written',
    async (_, groups) => {
      const { objects } = compile(groups, { guardedNamespaces, facts: both, served });
      expect(objects.length).toBeGreaterThan(0);
      expect([...new Set(objects.map(({ apiVersion }) => apiVersion))]).toEqual(versions);
      await applyStrictly(objects);
      const first = await standing(name, served);
      expect(differing(objects, first)).toEqual([]);

      // As the operator writes them; nothing changes.
      for (const object of objects.slice(0, 3)) {
        await client.apply(resourceOf(name, object), object, { fieldManager: FIELD_MANAGER });
      }
      expect(await standing(name, served)).toEqual(first);

      // Policies first: nothing ever refers to what is gone.
      for (const object of first.toReversed()) {
        await client.delete(resourceOf(name, object), object.metadata);
      }
      expect(await standing(name, served)).toEqual([]);
    },
  );

  it('an unknown field would have been refused', async () => {
    const { objects } = compile([groupOf(['198.51.100.7'])], {
      guardedNamespaces,
      facts: both,
      served,
    });
    const object = objects.at(-1) as KubeObject & { readonly spec: object };
    const wrong = { ...object, spec: { ...object.spec, defaultDeny: true } };
    await expect(applyStrictly([wrong])).rejects.toThrow('defaultDeny');
    await expect(
      client.apply(resourceOf(name, wrong), wrong, { fieldManager: FIELD_MANAGER }),
    ).rejects.toThrow('defaultDeny');
    expect(await standing(name, served)).toEqual([]);
  });

  it('nothing is written where nothing can be denied', () => {
    const o = { guardedNamespaces, facts: factsOf('IPv4'), served };
    const none = [
      groupOf(NOTHING),
      groupOf(['2001:db8:1::/48']),
      groupOf(['198.51.100.7'], { namespaces: ['unguarded'] }),
    ];
    expect(compile(none, o).objects).toEqual([]);
    expect(compile(none, o).gaps.map(({ type }) => type)).toEqual(['FamilyAbsent']);
  });
});

describe('host names for Cilium 1.20', () => {
  const cleanup = new AsyncDisposableStack();
  beforeAll(() => publishedCrds('cilium', CILIUM_KINDS).then((crds) => install(cleanup, crds)));
  afterAll(() => cleanup.disposeAsync());

  it('are accepted without an unknown field, and kept as written', async () => {
    await using namespace = await createNamespace(client, 'hosts');
    const grant = {
      namespace: namespace.name,
      podLabels: { 'strongroom.dev/service-account': 'maker' },
      hosts: ['api.hyperliquid.xyz', '*.phemex.com'],
      ports: Array.from({ length: 90 }, (_, index) => ({
        port: 1 + index * 7,
        endPort: 3 + index * 7,
        protocol: 'TCP' as const,
      })),
    };
    const { objects } = compileCiliumFqdn([grant, { ...grant, podLabels: { app: 'hedger' } }], {
      facts: both,
    });
    await applyStrictly(objects);
    const present = await Promise.all(
      objects.map((object) => client.get(resourceOf('Cilium', object), object.metadata)),
    );
    expect(differing(objects, present)).toEqual([]);
  });
});

describe('with the CRDs of Cilium 1.15, which cannot leave default-deny off', () => {
  const cleanup = new AsyncDisposableStack();
  let served: readonly ServedVersion[];
  beforeAll(async () => {
    served = await install(cleanup, await publishedCrds('cilium-1.15', CILIUM_KINDS));
  });
  afterAll(() => cleanup.disposeAsync());

  it('the policy is refused, and never stands without that field', async () => {
    const { objects } = compileCilium([groupOf(['198.51.100.7'])], {
      guardedNamespaces,
      facts: both,
      served,
    });
    const [group, policy] = objects;
    if (group === undefined || policy === undefined) throw new Error('two objects are expected');
    expect(apiVersionOf(resourceOf('Cilium', group))).toBe('cilium.io/v2alpha1');
    await client.apply(resourceOf('Cilium', group), group, { fieldManager: FIELD_MANAGER });
    await expect(
      client.apply(resourceOf('Cilium', policy), policy, { fieldManager: FIELD_MANAGER }),
    ).rejects.toThrow('enableDefaultDeny');
    expect((await standing('Cilium', served)).map(({ kind }) => kind)).toEqual(['CiliumCIDRGroup']);
  });
});

describe('with the CRDs of Calico 3.28, which has no tiers', () => {
  const cleanup = new AsyncDisposableStack();
  let served: readonly ServedVersion[];
  beforeAll(async () => {
    const names = CALICO_KINDS.slice(1).map((plural) => `${plural}.crd.projectcalico.org`);
    served = await install(cleanup, await publishedCrds('calico-3.28', names));
  });
  afterAll(() => cleanup.disposeAsync());

  it('Calico is no backend', () => {
    expect(served.map(({ group }) => group)).toContain('crd.projectcalico.org');
    expect(detectBackends(served)).toEqual(['NetworkPolicy']);
  });
});

it('Calico stays a backend while its API server is away', async () => {
  const name = 'v3.projectcalico.org';
  const service = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: {
      group: 'projectcalico.org',
      version: 'v3',
      service: { namespace: 'default', name: 'no-such-service' },
      groupPriorityMinimum: 1500,
      versionPriority: 200,
    },
  };
  await client.create(API_SERVICES, service);
  try {
    const served = await eventually(
      async () => {
        const all = await client.discover();
        return all.some(({ group }) => group === 'projectcalico.org') ? all : undefined;
      },
      { what: 'the API server to tell of Calico’s' },
    );
    expect(served.filter(({ group }) => group === 'projectcalico.org')).toEqual([
      { group: 'projectcalico.org', version: 'v3', resources: [], stale: true },
    ]);
    expect(detectBackends(served)).toEqual(['NetworkPolicy', 'Calico']);
  } finally {
    await client.delete(API_SERVICES, { name });
  }
});

/** Resolves to what is served then; the CRDs go when `cleanup` is disposed of. */
async function install(
  cleanup: AsyncDisposableStack,
  crds: readonly Crd[],
): Promise<readonly ServedVersion[]> {
  for (const { status: _status, ...crd } of crds as readonly (Crd & { status?: unknown })[]) {
    const { name } = crd.metadata;
    if ((await client.find(DEFINITIONS, { name })) !== undefined) {
      throw new Error(`the cluster has ${name} already, and this test would remove it`);
    }
    await client.create(DEFINITIONS, crd);
    cleanup.defer(async () => {
      await client.delete(DEFINITIONS, { name });
      await eventually(async () => (await client.find(DEFINITIONS, { name })) === undefined, {
        what: `the end of ${name}`,
      });
    });
  }
  return eventually(
    async () => {
      const served = await client.discover();
      return crds.every(({ spec }) =>
        served.some(
          ({ group, resources }) => group === spec.group && resources.includes(spec.names.plural),
        ),
      )
        ? served
        : undefined;
    },
    { what: 'the CRDs to be served' },
  );
}

async function applyStrictly(objects: readonly KubeObject[]): Promise<void> {
  const call = promisify(execFile)(
    await binary('kubectl'),
    [
      '--kubeconfig',
      inject('kubeconfig'),
      'apply',
      '--server-side',
      '--validate=strict',
      `--field-manager=${FIELD_MANAGER}`,
      '-f',
      '-',
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  call.child.stdin?.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await call;
}

/** In the order in which they are applied. */
async function standing(
  name: BackendName,
  served: readonly ServedVersion[],
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for (const resource of BACKEND_RESOURCES[name]) {
    const isServed = served.some(
      ({ group, version, resources }) =>
        group === resource.group &&
        version === resource.version &&
        resources.includes(resource.plural),
    );
    if (!isServed || found.some(({ kind }) => kind === resource.kind)) continue;
    const { items } = await client.list(resource, { allNamespaces: true }, { labelSelector: OURS });
    found.push(...items);
  }
  return found;
}

/** Names of objects that do not stand as they were written. */
function differing(
  objects: readonly KubeObject[],
  present: readonly KubeObject[],
): readonly string[] {
  const standingByName = new Map(
    present.map((object) => [`${object.kind} ${object.metadata.name}`, object]),
  );
  const differ = objects.filter(({ metadata, ...written }) => {
    const found = standingByName.get(`${written.kind} ${metadata.name}`);
    if (found === undefined) return true;
    const { metadata: foundMetadata, ...rest } = found;
    return !(
      isDeepStrictEqual(rest, written) && isDeepStrictEqual(foundMetadata.labels, metadata.labels)
    );
  });
  return [
    ...differ.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ...(objects.length === present.length ? [] : [`${present.length} of ${objects.length}`]),
  ];
}

function resourceOf(name: BackendName, { apiVersion, kind }: KubeObject): Resource {
  const found = BACKEND_RESOURCES[name].find(
    (resource) => resource.kind === kind && apiVersionOf(resource) === apiVersion,
  );
  if (found === undefined) throw new Error(`${name} writes no ${apiVersion} ${kind}`);
  return found;
}
