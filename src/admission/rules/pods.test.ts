import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import type { AdmissionRequest } from '../request.ts';
import { SECRET_PATHS } from '../pods/secret-paths.ts';
import {
  ALICE,
  BOB,
  MASTER,
  SETTINGS,
  controller,
  credentialOf,
  kubelet,
  requestFor,
} from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { WorldParts } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { podRule } from './pods.ts';

const LABEL = 'strongroom.dev/service-account';
const MAKER = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;

function allow(subject: AccessPolicySpec['subjects'][number], name: string): AccessPolicy {
  return policyOf({ subjects: [subject] }, name);
}

/** `maker` may mount, and so may alice, who runs it. */
const POLICIES = [allow(MAKER, 'maker'), allow({ kind: 'User', name: 'alice' }, 'alice')];
const MAKER_ONLY = [allow(MAKER, 'maker')];

function judge(
  request: AdmissionRequest,
  policies: readonly AccessPolicy[] = POLICIES,
  parts: WorldParts = {},
): Verdict {
  const world = worldOf({ policies, credentials: [credentialOf('maker')], ...parts });
  return podRule(request, { world, settings: SETTINGS, nowMs: NOW });
}

type Json = Readonly<Record<string, unknown>>;

const USES = { volumes: [{ name: 'key', secret: { secretName: 'maker' } }] };
const OWN: Json = { serviceAccountName: 'maker', automountServiceAccountToken: false };

function pod(spec: Json = {}, metadata: Json = {}): Json {
  const { serviceAccountName = 'maker' } = { ...OWN, ...spec };
  return {
    metadata: {
      name: 'maker-1',
      namespace: 'trading',
      labels: { [LABEL]: serviceAccountName },
      ...metadata,
    },
    spec: { ...OWN, containers: [{ name: 'bot', image: 'bot:1' }], ...spec },
  };
}

const create = (spec?: Json, parts: Partial<AdmissionRequest> = {}): AdmissionRequest =>
  requestFor('pods', { ...(parts as object), object: pod(spec) });

const update = (
  before: Json,
  after: Json,
  parts: Partial<AdmissionRequest> = {},
): AdmissionRequest =>
  requestFor('pods', {
    operation: 'UPDATE',
    ...(parts as object),
    oldObject: before,
    object: after,
  });

describe('podRule: what the account may do beside that', () => {
  const LEAD = { kind: 'ServiceAccount', namespace: 'trading', name: 'lead' } as const;
  const OVERRIDE = {
    permissions: ['EmergencyOverride' as const],
    accessLevel: 'Emergency' as const,
    credentials: { namespaces: ['trading'] },
  };
  const APPROVER = policyOf({ ...OVERRIDE, subjects: [LEAD] }, 'approver');
  const POD = { serviceAccountName: 'lead' };

  it('is asked of who makes the pod', () => {
    const verdict = judge(create(POD), [APPROVER]);
    expect(verdict).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
    expect(verdict.message).toContain(
      'Pod trading/maker-1 runs under ServiceAccount trading/lead, which AccessPolicy approver gives EmergencyOverride at Emergency over namespace trading',
    );
    const own = policyOf({ ...OVERRIDE, subjects: [{ kind: 'User', name: 'alice' }] }, 'own');
    expect(judge(create(POD), [APPROVER, own])).toEqual({ allowed: true, policies: ['own'] });
    expect(judge(create(POD, { userInfo: MASTER }), [APPROVER]).allowed).toBe(true);
    expect(judge(create({ serviceAccountName: 'poor' }), [APPROVER]).allowed).toBe(true);
  });

  it('is not asked of a controller that makes what stands in a template', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r' };
    const made = pod(POD, { ownerReferences: [{ ...owner, controller: true }] });
    const by = (name: string) =>
      judge(requestFor('pods', { userInfo: controller(name), object: made }), [APPROVER]).allowed;
    expect(by('replicaset-controller')).toBe(true);
    expect(by('job-controller')).toBe(false);
    const { allowed } = judge(requestFor('pods', { object: made }), [APPROVER]);
    expect(allowed).toBe(false);
  });

  it('is asked again where the program changes, and only there', () => {
    const before = pod(POD);
    const other = pod({ ...POD, containers: [{ name: 'bot', image: 'bot:2' }] });
    expect(judge(update(before, other), [APPROVER]).allowed).toBe(false);
    expect(judge(update(before, pod(POD, { annotations: { a: 'b' } })), [APPROVER]).allowed).toBe(
      true,
    );
  });
});

describe('podRule: what the account may use', () => {
  it('lets a pod use what its account may mount', () => {
    expect(judge(create(USES))).toEqual({ allowed: true, policies: ['maker', 'alice'] });
  });

  it.each(SECRET_PATHS.map(({ path }) => [path.join('.'), path] as const))(
    'refuses a guarded Secret in %s to an account that may not',
    (_name, path) => {
      const spec = path.reduceRight<unknown>(
        (inner, step) => (step === '[]' ? [inner] : { [step]: inner }),
        'maker',
      ) as Json;
      const request = create({ serviceAccountName: 'other', ...spec });
      expect(judge(request)).toMatchObject({ allowed: false, reason: 'NotGranted' });
      expect(judge(create(spec)).allowed).toBe(true);
    },
  );

  it('says who, what, which credential, and what would be needed', () => {
    expect(judge(create({ ...USES, serviceAccountName: 'other' })).message).toBe(
      'Pod trading/maker-1 uses the Secret maker (volumes[0].secret.secretName), which is that of trading/maker; its ServiceAccount trading/other needs AccessSecrets at Read for trading/maker, and no AccessPolicy gives it: ask whoever writes AccessPolicies; whoever may read those sees what is missing with: strongroom explain mount maker -n trading --as-service-account trading/other',
    );
  });

  it('asks for the account, whoever asks: it is the account that gets the Secret', () => {
    const request = create({ ...USES, serviceAccountName: 'other' }, { userInfo: MASTER });
    expect(judge(request).reason).toBe('NotGranted');
  });

  it('tells a Deny from what nobody gave', () => {
    const deny = policyOf({ subjects: [MAKER], effect: 'Deny' }, 'deny');
    const verdict = judge(create(USES), [...POLICIES, deny]);
    expect(verdict).toMatchObject({ allowed: false, reason: 'Denied', policies: ['deny'] });
  });

  it('asks for the level of the credential', () => {
    const credentials = [credentialOf('maker', { minimumAccessLevel: 'Admin' })];
    const verdict = judge(create(USES), POLICIES, { credentials });
    expect(verdict.message).toContain('AccessSecrets at Admin for trading/maker');
  });

  it.each<[string, ReturnType<typeof credentialOf>]>([
    [
      'the source of an import',
      credentialOf('other', { source: { secretRef: { name: 'import-me' } } }),
    ],
    ['a name to come', credentialOf('other', { delivery: { secret: { name: 'import-me' } } })],
  ])('counts %s', (_what, credential) => {
    const spec = { volumes: [{ name: 'key', secret: { secretName: 'import-me' } }] };
    const request = create({ ...spec, serviceAccountName: 'poor' });
    expect(judge(request, POLICIES, { credentials: [credential] }).allowed).toBe(false);
  });

  it('asks for every credential behind a Secret', () => {
    const credentials = [
      credentialOf('maker'),
      credentialOf('second', { delivery: { secret: { name: 'maker' } }, environment: 'Staging' }),
    ];
    const verdict = judge(create(USES), POLICIES, { credentials });
    expect(verdict.message).toContain('trading/second');
  });

  it('counts the pull secrets of the account', () => {
    const accounts = { 'trading/other': { imagePullSecrets: ['maker'] } };
    const request = create({ serviceAccountName: 'other' });
    expect(judge(request, POLICIES, { accounts }).message).toContain(
      'imagePullSecrets of ServiceAccount other',
    );
  });

  it('leaves other Secrets alone', () => {
    const spec = { volumes: [{ name: 'tls', secret: { secretName: 'tls' } }] };
    const request = create({ ...spec, serviceAccountName: 'other' }, { userInfo: BOB });
    expect(judge(request)).toEqual({ allowed: true });
  });

  it('says when it is a matter of time', () => {
    const times = [{ schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' }];
    const policies = [policyOf({ subjects: [MAKER], constraints: { times } }), POLICIES[1]!];
    expect(judge(create(USES), policies).message).toContain('only at other times');
  });
});

describe('podRule: who asks', () => {
  it('refuses whoever may not mount what the account may, although the pod names nothing', () => {
    const verdict = judge(create({}, { userInfo: BOB }));
    expect(verdict).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
    expect(verdict.message).toBe(
      'Pod trading/maker-1 runs under ServiceAccount trading/maker, which AccessPolicy maker gives AccessSecrets at Read over every namespace, environment Production; who acts as an account needs all that it may do, and bob does not hold that (now): let somebody do it who does, or ask whoever writes AccessPolicies',
    );
  });

  it('counts what the account may mount at other times', () => {
    const times = [{ schedule: '0 3 * * *', duration: '1h', timeZone: 'UTC' }];
    const policies = [policyOf({ subjects: [MAKER], constraints: { times } }, 'maker')];
    expect(judge(create({}, { userInfo: BOB }), policies).allowed).toBe(false);
  });

  it('does not count what a Deny takes from the account for certain', () => {
    const deny = policyOf({ subjects: [MAKER], effect: 'Deny' }, 'deny');
    const request = create({}, { userInfo: BOB });
    expect(judge(request, [...MAKER_ONLY, deny])).toEqual({ allowed: true });
  });

  it('lets system:masters', () => {
    expect(judge(create(USES, { userInfo: MASTER }), MAKER_ONLY).allowed).toBe(true);
  });

  it('takes an absent name for `default`, and the old field for the new one', () => {
    const policies = [allow({ ...MAKER, name: 'default' }, 'default')];
    const request = requestFor('pods', {
      userInfo: BOB,
      object: { metadata: { name: 'p', labels: { [LABEL]: 'default' } }, spec: {} },
    });
    expect(judge(request, policies).message).toContain('ServiceAccount trading/default');
    const old = requestFor('pods', {
      userInfo: BOB,
      object: { spec: { serviceAccount: 'maker' } },
    });
    expect(judge(old).message).toContain('ServiceAccount trading/maker');
  });

  it.each([
    ['replicaset-controller', 'apps/v1', 'ReplicaSet'],
    ['statefulset-controller', 'apps/v1', 'StatefulSet'],
    ['daemon-set-controller', 'apps/v1', 'DaemonSet'],
    ['replication-controller', 'v1', 'ReplicationController'],
    ['job-controller', 'batch/v1', 'Job'],
  ])('does not ask the %s for what it makes of a reviewed template', (name, apiVersion, kind) => {
    const owner = { apiVersion, kind, name: 'maker', uid: 'u', controller: true };
    const by = (userInfo: typeof BOB, ownerReferences: readonly object[], spec: Json = USES) =>
      judge(requestFor('pods', { userInfo, object: pod(spec, { ownerReferences }) }), MAKER_ONLY)
        .allowed;
    expect(by(controller(name), [owner])).toBe(true);
    // Not without its owner, not for the owner of another kind, not under another name.
    expect(by(controller(name), [])).toBe(false);
    expect(by(controller(name), [{ ...owner, controller: false }])).toBe(false);
    expect(by(controller(name), [{ ...owner, kind: 'Workflow' }])).toBe(false);
    expect(by(controller(name), [{ ...owner, apiVersion: 'example.com/v1' }])).toBe(false);
    expect(by(controller('endpoint-controller'), [owner])).toBe(false);
    expect(by(BOB, [owner])).toBe(false);
    // The account is looked at all the same.
    expect(by(controller(name), [owner], { ...USES, serviceAccountName: 'poor' })).toBe(false);
  });
});

describe('podRule: accounts and labels', () => {
  it('refuses accounts of emergency access', () => {
    const request = create({ serviceAccountName: 'strongroom-emergency-x' }, { userInfo: MASTER });
    expect(judge(request).reason).toBe('Reserved');
  });

  it('refuses a name that does not fit into a label', () => {
    expect(judge(create({ serviceAccountName: 'a'.repeat(64) })).reason).toBe('Invalid');
    expect(judge(create({ serviceAccountName: 'a'.repeat(63) })).allowed).toBe(true);
  });

  it.each<[string, Json, boolean]>([
    ['its account', { [LABEL]: 'maker' }, true],
    ['another account', { [LABEL]: 'risk' }, false],
    ['nothing', {}, false],
  ])('asks a new pod that its label says %s', (_what, labels, isAllowed) => {
    const request = requestFor('pods', { object: pod({}, { labels }) });
    expect(judge(request).allowed).toBe(isAllowed);
  });

  it.each<[string, Json, Json, boolean]>([
    ['kept', { [LABEL]: 'maker' }, { [LABEL]: 'maker', a: 'b' }, true],
    ['changed', { [LABEL]: 'maker' }, { [LABEL]: 'risk' }, false],
    ['taken off', { [LABEL]: 'maker' }, {}, false],
    ['set late', {}, { [LABEL]: 'maker' }, true],
    ['set late and wrong', {}, { [LABEL]: 'risk' }, false],
    ['put right', { [LABEL]: 'risk' }, { [LABEL]: 'maker' }, true],
    ['wrong as before', { [LABEL]: 'risk' }, { [LABEL]: 'risk' }, true],
  ])('judges a label that is %s', (_what, before, after, isAllowed) => {
    const request = update(pod({}, { labels: before }), pod({}, { labels: after }), {
      userInfo: BOB,
    });
    expect(judge(request).allowed).toBe(isAllowed);
  });
});

describe('podRule: updates', () => {
  it('lets anybody change what says nothing about what runs', () => {
    const after = pod(
      { ...USES, tolerations: [{ key: 'a', operator: 'Exists' }] },
      { labels: { [LABEL]: 'maker', version: '2' } },
    );
    expect(judge(update(pod(USES), after, { userInfo: BOB }))).toEqual({ allowed: true });
  });

  it('takes another image for another program', () => {
    const after = pod({ ...USES, containers: [{ name: 'bot', image: 'print-the-key:1' }] });
    expect(judge(update(pod(USES), after, { userInfo: BOB })).allowed).toBe(false);
    expect(judge(update(pod(USES), after, { userInfo: ALICE })).allowed).toBe(true);
  });

  it.each(['env', 'envFrom'])('judges ephemeral containers (%s)', (field) => {
    const by = (userInfo: typeof BOB, account: string): boolean => {
      const spec = { serviceAccountName: account };
      const container =
        field === 'env'
          ? { env: [{ name: 'K', valueFrom: { secretKeyRef: { name: 'maker', key: 'k' } } }] }
          : { envFrom: [{ secretRef: { name: 'maker' } }] };
      const after = pod({ ...spec, ephemeralContainers: [{ name: 'debug', ...container }] });
      return judge(
        update(pod(spec), after, { userInfo, subResource: 'ephemeralcontainers' }),
        POLICIES,
      ).allowed;
    };
    expect(by(ALICE, 'maker')).toBe(true);
    expect(by(BOB, 'maker')).toBe(false);
    expect(by(ALICE, 'poor')).toBe(false);
  });

  it('refuses an ephemeral container without Secrets to who may not mount', () => {
    const after = pod({ ...USES, ephemeralContainers: [{ name: 'debug', image: 'sh' }] });
    const parts = { userInfo: BOB, subResource: 'ephemeralcontainers' };
    expect(judge(update(pod(USES), after, parts)).allowed).toBe(false);
  });
});

describe('podRule: pods that hold what a Secret had in it', () => {
  const OLD: Json = {
    serviceAccountName: 'poor',
    volumes: [{ name: 'key', secret: { secretName: 'old' } }],
  };
  const former = { formerSecrets: ['trading/old'], credentials: [] };
  const by = (after: Json, parts: Partial<AdmissionRequest> = {}): Verdict =>
    judge(update(pod(OLD), after, { userInfo: ALICE, ...parts }), POLICIES, former);

  it('get no other program, by whomever', () => {
    const debug = pod({ ...OLD, ephemeralContainers: [{ name: 'debug', image: 'sh' }] });
    const verdict = by(debug, { subResource: 'ephemeralcontainers' });
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotGranted' });
    expect(verdict.message).toContain('Secret old');
    expect(by(pod({ ...OLD, containers: [{ name: 'bot', image: 'cat' }] })).allowed).toBe(false);
    expect(by(pod(OLD, { labels: { [LABEL]: 'poor', more: '1' } })).allowed).toBe(true);
  });

  it('are no reason against new ones: there is nothing in the Secret any more', () => {
    const verdict = judge(create(OLD, { userInfo: BOB }), POLICIES, former);
    expect(verdict.allowed).toBe(true);
  });
});

describe('podRule: what it does not look at', () => {
  const poor = { ...USES, serviceAccountName: 'poor' };

  it('lets an eviction pass', () => {
    expect(judge(create(poor, { subResource: 'eviction' })).allowed).toBe(true);
  });

  it.each(['status', 'resize'])('looks at the label of %s, and at nothing else', (subResource) => {
    const before = pod(poor);
    const by = (after: Json): Verdict =>
      judge(update(before, after, { userInfo: BOB, subResource }));
    expect(by(pod(poor)).allowed).toBe(true);
    expect(by(pod({ ...poor, containers: [{ name: 'bot', resources: {} }] })).allowed).toBe(true);
    expect(by(pod(poor, { labels: { [LABEL]: 'maker' } })).reason).toBe('Immutable');
    expect(by(pod(poor, { labels: {} })).reason).toBe('Immutable');
  });

  it('looks at the label of a binding, which replaces that of the pod', () => {
    const bind = (resource: string, subResource: string, labels: Json): Verdict =>
      judge(
        requestFor(resource, {
          userInfo: MASTER,
          subResource,
          object: { kind: 'Binding', metadata: { name: 'maker-1', labels }, target: {} },
        }),
      );
    for (const [resource, subResource] of [
      ['pods', 'binding'],
      ['bindings', ''],
    ] as const) {
      expect(bind(resource, subResource, {})).toEqual({ allowed: true });
      expect(bind(resource, subResource, { [LABEL]: 'risk' }).reason).toBe('Reserved');
    }
  });

  it('lets a deletion pass', () => {
    expect(judge(requestFor('pods', { operation: 'DELETE', oldObject: pod(poor) }))).toEqual({
      allowed: true,
    });
  });

  it('looks at guarded namespaces, and at those that it does not know', () => {
    const namespaces = [{ name: 'trading', isGuarded: false }];
    expect(judge(create(poor), POLICIES, { namespaces }).allowed).toBe(true);
    expect(judge(create(poor), POLICIES, { namespaces: [] }).allowed).toBe(false);
  });

  it('lets kubelets show their own pods, and nobody else', () => {
    const mirror = { annotations: { 'kubernetes.io/config.mirror': 'hash' } };
    const object = { metadata: { name: 'etcd', ...mirror }, spec: { containers: [] } };
    const by = (userInfo: typeof BOB): boolean =>
      judge(requestFor('pods', { userInfo, object })).allowed;
    expect(by(kubelet('node-1'))).toBe(true);
    expect(by(BOB)).toBe(false);
    expect(by({ ...BOB, username: 'system:node:node-1' })).toBe(false);
  });

  it('refuses what is no pod', () => {
    const verdict = judge(requestFor('pods', { object: { spec: 'none' } }));
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotUnderstood' });
    expect(judge(requestFor('pods', {})).reason).toBe('NotUnderstood');
  });
});
