import { describe, expect, it } from 'vitest';
import { concludeFrom, latestEnd, runChecks } from '#cli/doctor-checks.ts';
import type { CheckResult } from '#cli/doctor-checks.ts';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import { CertificateAuthority } from '../../test/cluster/certificates.ts';

const NOW = Date.now();
const DENIED = new KubeError(
  'ERR_KUBE_FORBIDDEN',
  'create IPBlock: admission webhook "guard.strongroom.dev" denied the request: label …',
);
const DENIED_BY_TWIN = new KubeError(
  'ERR_KUBE_FORBIDDEN',
  `create ServiceAccount: ValidatingAdmissionPolicy 'strongroom-emergency-accounts' denied request`,
);

/** What a sound installation answers; parts of it are replaced by each test. */
async function cluster() {
  const { pair } = await CertificateAuthority.create('ca');
  const caBundle = Buffer.from(pair.certificate).toString('base64');
  const guards = { type: 'AdmissionGuards', status: 'True', message: 'refused' };
  const objects: Record<string, unknown[]> = {
    Lease: [{ spec: { holderIdentity: 'pod-0', renewTime: new Date(NOW).toISOString() } }],
    ConfigMap: [{ data: { status: JSON.stringify({ conditions: [guards], findings: [] }) } }],
    ValidatingWebhookConfiguration: [
      { webhooks: [{ name: 'guard.strongroom.dev', clientConfig: { caBundle } }] },
    ],
    MutatingWebhookConfiguration: [
      { webhooks: [{ name: 'stamp.strongroom.dev', clientConfig: { caBundle } }] },
    ],
    ValidatingAdmissionPolicy: [{ metadata: { name: 'strongroom-pods' } }],
    ValidatingAdmissionPolicyBinding: [
      { spec: { policyName: 'strongroom-pods', validationActions: ['Deny'] } },
    ],
    Secret: [{ data: { 'tls.crt': caBundle } }],
    Namespace: [{ metadata: { name: 'trading' } }],
    NamespaceAccess: [{ metadata: { name: 'strongroom' } }],
  };
  const answers: Record<string, unknown> = { IPBlock: DENIED, ServiceAccount: DENIED_BY_TWIN };
  const forbidden = new Set<string>();
  /** Namespaces that something was tried in. */
  const tried: string[] = [];
  const check = ({ kind }: Resource<KubeObject>): void => {
    if (forbidden.has(kind)) throw new KubeError('ERR_KUBE_FORBIDDEN', `list ${kind}: RBAC`);
  };
  const client = {
    async discover() {
      const resources = [
        'accesspolicies',
        'emergencyaccesses',
        'exchangecredentials',
        'ipblocks',
        'namespaceaccesses',
      ];
      return [{ group: 'strongroom.dev', version: 'v1alpha1', resources }];
    },
    async list(resource: Resource<KubeObject>) {
      check(resource);
      return { items: objects[resource.kind] ?? [] };
    },
    async find(resource: Resource<KubeObject>) {
      check(resource);
      return objects[resource.kind]?.[0];
    },
    async create(
      resource: Resource<KubeObject>,
      object: KubeObject,
      options: { dryRun?: boolean },
    ) {
      expect(options.dryRun).toBe(true);
      const { namespace } = object.metadata;
      if (namespace !== undefined) tried.push(namespace);
      const answer = answers[resource.kind];
      if (answer !== undefined) throw answer;
      return object;
    },
  } as unknown as KubeClient;
  return { client, objects, answers, forbidden, tried };
}

function checksOf({ client }: { readonly client: KubeClient }) {
  return runChecks({
    client,
    operatorNamespace: 'strongroom-system',
    nowMs: NOW,
    signal: new AbortController().signal,
  });
}

async function run(of: { readonly client: KubeClient }) {
  const checks = await checksOf(of);
  return (state: CheckResult['state']) =>
    checks.filter((one) => one.state === state).map(({ name }) => name);
}

describe('whether it guards', () => {
  const result = (name: string, state: CheckResult['state']) => ({ name, state, message: 'm' });
  const [telling, detail] = ['the webhook refuses', 'certificate of the webhook'];

  it.each<readonly [readonly CheckResult[], boolean | null]>([
    [[result(telling, 'Ok'), result(detail, 'Ok')], true],
    [[result(telling, 'Ok'), result(detail, 'NotAllowed')], true],
    [[result(telling, 'Ok'), result('the twin refuses', 'Skipped')], true],
    [[result(telling, 'NotAllowed'), result(detail, 'Ok')], null],
    [[result(telling, 'NotAllowed'), result(detail, 'Failed')], false],
    [[result(telling, 'Failed'), result('the twin refuses', 'NotAllowed')], false],
  ])('%j: %s', (checks, guards) => {
    expect(concludeFrom(checks).guards).toBe(guards);
  });

  it('is not known where who asks may look at nothing', async () => {
    const of = await cluster();
    for (const kind of Object.keys(of.objects)) of.forbidden.add(kind);
    of.answers['IPBlock'] = new KubeError('ERR_KUBE_FORBIDDEN', 'ipblocks is forbidden: User …');
    expect(concludeFrom(await checksOf(of))).toEqual({
      guards: null,
      untold: [
        'the operator says that it guards',
        'validating webhooks',
        'mutating webhooks',
        'policies of the twin',
        'the webhook refuses',
        'the twin refuses',
      ],
    });
  });
});

describe('what doctor finds', () => {
  it('is nothing wrong in a sound installation', async () => {
    const found = await run(await cluster());
    expect(found('Ok')).toHaveLength(11);
  });

  it.each<readonly [string, (of: Awaited<ReturnType<typeof cluster>>) => unknown, string[]]>([
    [
      'no lease',
      ({ objects }) => (objects['Lease'] = []),
      ['an operator leads', 'the operator says that it guards'],
    ],
    [
      'an old lease, and what its holder said then',
      ({ objects }) => (objects['Lease'] = [{ spec: { holderIdentity: 'a', renewTime: '2026' } }]),
      ['an operator leads', 'the operator says that it guards'],
    ],
    [
      'a lease that was given back',
      ({ objects }) =>
        (objects['Lease'] = [
          { spec: { holderIdentity: '', renewTime: new Date(NOW).toISOString() } },
        ]),
      ['an operator leads', 'the operator says that it guards'],
    ],
    [
      'no status',
      ({ objects }) => (objects['ConfigMap'] = []),
      ['the operator says that it guards'],
    ],
    [
      'no webhooks',
      ({ objects }) => {
        objects['ValidatingWebhookConfiguration'] = [];
        objects['MutatingWebhookConfiguration'] = [];
      },
      ['validating webhooks', 'mutating webhooks'],
    ],
    [
      'a webhook without a CA',
      ({ objects }) =>
        (objects['MutatingWebhookConfiguration'] = [
          { webhooks: [{ name: 'stamp.strongroom.dev', clientConfig: {} }] },
        ]),
      ['CA of the webhook'],
    ],
    [
      'a policy without a binding',
      ({ objects }) => (objects['ValidatingAdmissionPolicyBinding'] = []),
      ['policies of the twin'],
    ],
    [
      'a binding that only warns',
      ({ objects }) =>
        (objects['ValidatingAdmissionPolicyBinding'] = [
          { spec: { policyName: 'strongroom-pods', validationActions: ['Warn'] } },
        ]),
      ['policies of the twin'],
    ],
    ['a probe let through', ({ answers }) => delete answers['IPBlock'], ['the webhook refuses']],
    [
      'a probe of the twin let through',
      ({ answers }) => delete answers['ServiceAccount'],
      ['the twin refuses'],
    ],
    [
      'a probe of the twin that only the webhook refused',
      ({ answers }) => (answers['ServiceAccount'] = DENIED),
      ['the twin refuses'],
    ],
    [
      'a guarded namespace without a table',
      ({ objects }) => (objects['NamespaceAccess'] = []),
      ['tables of guarded namespaces'],
    ],
  ])('%s', async (_, spoil, failed) => {
    const of = await cluster();
    spoil(of);
    expect((await run(of))('Failed')).toEqual(failed);
  });

  it('tells what it may not look at, and does not call that sound', async () => {
    const of = await cluster();
    of.forbidden.add('Secret');
    of.answers['IPBlock'] = new KubeError('ERR_KUBE_FORBIDDEN', 'ipblocks is forbidden: User …');
    const found = await run(of);
    expect(found('NotAllowed')).toEqual(['certificate of the webhook', 'the webhook refuses']);
    expect(found('Failed')).toEqual([]);
  });

  it('has nothing to try where no namespace is guarded', async () => {
    const of = await cluster();
    of.objects['Namespace'] = [];
    const found = await run(of);
    expect(found('Skipped')).toEqual(['the twin refuses', 'tables of guarded namespaces']);
  });

  it.each(['strongroom-system', 'kube-system'])('tries nothing in %s', async (name) => {
    const of = await cluster();
    const trading = of.objects['Namespace'] ?? [];
    of.objects['Namespace'] = [{ metadata: { name } }];
    expect((await run(of))('Skipped')).toEqual([
      'the twin refuses',
      'tables of guarded namespaces',
    ]);
    of.objects['Namespace'] = [{ metadata: { name } }, ...trading];
    expect((await run(of))('Ok')).toHaveLength(11);
    expect(of.tried).toEqual(['trading']);
  });

  it('reads when the last certificate of a bundle ends', async () => {
    const { pair } = await CertificateAuthority.create('ca');
    expect(latestEnd(`${pair.certificate}\n${pair.certificate}`)).toBeGreaterThan(NOW);
    for (const text of ['', 'x', '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----']) {
      expect(latestEnd(text)).toBeNaN();
    }
  });
});
