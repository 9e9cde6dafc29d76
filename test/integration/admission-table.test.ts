import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { AccessPolicySpec } from '../../src/api/access-policy.ts';
import { EMERGENCY_ACCESSES } from '../../src/api/emergency-access.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import { IP_BLOCKS } from '../../src/api/ip-block.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/kube/resource.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import {
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createAdmissionInstallation } from './admission-installation.ts';
import type { AdmissionInstallation } from './admission-installation.ts';
import { asDryRun, creates, deletes, gets, patches, posts } from './admission-people.ts';
import type { Answer, Ask } from './admission-people.ts';
import {
  WORKLOADS,
  WORKLOAD_NAMES,
  credentialOf,
  isRefused,
  passes,
  podOf,
  removed,
  setAdmissionScene,
  workloadOf,
} from './admission-scene.ts';
import type { AdmissionScene, PersonName } from './admission-scene.ts';
import { createNamespace } from './cluster.ts';
import { installChart, uninstallChart } from './operator-process.ts';

const ENVIRONMENTS = ['Development', 'Staging', 'Production'] as const;

/** One line of the table in docs/admission.md, both ways. */
interface Row {
  readonly name: string;
  /** Made by the admin before, and taken away after. */
  readonly given?: () => Promise<AsyncDisposable>;
  readonly ask: () => Ask;
  readonly may: PersonName;
  readonly mayNot: readonly PersonName[];
  /** What the refusals say is needed, or is wrong. */
  readonly needs: RegExp;
  /** Takes away what passed. */
  readonly undo?: () => Promise<void>;
}

/** The table of admission, by people whom RBAC lets do everything, on a real API server. */
describe('what a request needs', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: AdmissionInstallation;
  let scene: AdmissionScene;
  let trading: string;

  beforeAll(async () => {
    installation = cleanup.use(await createAdmissionInstallation());
    cleanup.use(await installation.start('one'));
    const { client, scratch } = installation;
    scene = cleanup.use(await setAdmissionScene({ client, scratch }));
    trading = scene.trading.name;
  });
  afterAll(() => cleanup.disposeAsync());

  const maker = (): { readonly namespace: string; readonly name: string } => ({
    namespace: trading,
    name: 'maker',
  });
  const annotates = (annotations: Readonly<Record<string, string | null>>): Ask =>
    patches(EXCHANGE_CREDENTIALS, maker(), { metadata: { annotations } });
  const takesOff = (...names: readonly string[]): (() => Promise<void>) => {
    const annotations = Object.fromEntries(names.map((name) => [name, null]));
    return async () => {
      await scene.client.mergePatch(EXCHANGE_CREDENTIALS, maker(), { metadata: { annotations } });
    };
  };
  const removes =
    (resource: Resource, name: string, isNamespaced = true) =>
    (): Promise<void> =>
      scene.client.delete(resource, isNamespaced ? { namespace: trading, name } : { name });
  const policyOf = (name: string, spec: Partial<AccessPolicySpec>): KubeObject =>
    ({
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata: { name: scene.named(name) },
      spec: {
        subjects: [{ kind: 'User', name: scene.usernameOf('mallory') }],
        roles: ['ComplianceOfficer'],
        environments: ['Production'],
        credentials: { namespaces: [trading] },
        ...spec,
      },
    }) as KubeObject;
  const writesPolicy =
    (name: string, spec: () => Partial<AccessPolicySpec> = () => ({})) =>
    (): Ask =>
      creates(ACCESS_POLICIES, policyOf(name, spec()));
  const blockOf = (name: string, spec: Readonly<Record<string, unknown>>): Ask =>
    creates(IP_BLOCKS, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'IPBlock',
      metadata: { name: scene.named(name) },
      spec: { cidrs: ['198.51.100.7/32'], reason: 'a test', duration: '1h', ...spec },
    });
  const emergency = (name: string) => ({
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { name, namespace: trading },
    spec: {
      subject: { kind: 'User', name: scene.usernameOf('oncall') },
      reason: 'the exchange turned orders away',
      target: { credentials: ['maker'] },
      permissions: ['AccessSecrets'],
      duration: '10m',
    },
  });
  /** Asked for by the one on call. */
  const asked = (name: string) => async (): Promise<AsyncDisposable> => {
    const { status, message } = await scene.people.oncall.ask(
      creates(EMERGENCY_ACCESSES, emergency(name)),
    );
    expect([status, message]).toEqual([201, '']);
    return { [Symbol.asyncDispose]: removes(EMERGENCY_ACCESSES, name) };
  };
  const decides = (name: string, annotation: string) => (): Ask =>
    patches(
      EMERGENCY_ACCESSES,
      { namespace: trading, name },
      { metadata: { annotations: { [`strongroom.dev/${annotation}`]: 'as the runbook says' } } },
    );
  const guarded = (name: string) => {
    let namespace = '';
    return {
      given: async (): Promise<AsyncDisposable> => {
        await using stack = new AsyncDisposableStack();
        const made = await createNamespace(scene.client, name, {
          'strongroom.dev/guarded': 'true',
          'strongroom.dev/environment': 'Production',
        });
        stack.defer(() => removed(made[Symbol.asyncDispose]()));
        namespace = made.name;
        const keeper = [{ kind: 'User', name: scene.usernameOf('keeper') }] as const;
        stack.use(
          await scene.policy(`${name}-keeper`, {
            subjects: keeper,
            permissions: ['AccessSecrets'],
            accessLevel: 'Admin',
            environments: [...ENVIRONMENTS],
            credentials: { namespaces: [namespace] },
          }),
        );
        return stack.move();
      },
      labels: (labels: Readonly<Record<string, string | null>>): Ask =>
        patches(NAMESPACES, { name: namespace }, { metadata: { labels } }),
      deletes: (): Ask => deletes(NAMESPACES, { name: namespace }),
    };
  };

  const unguarded = guarded('unguarded');
  const moved = guarded('moved');
  const gone = guarded('gone');

  const rows: readonly Row[] = [
    {
      name: 'create an ExchangeCredential',
      ask: () => creates(EXCHANGE_CREDENTIALS, credentialOf({ namespace: trading, name: 'new' })),
      may: 'writer',
      mayNot: ['mallory', 'deployer', 'oncall', 'responder', 'head'],
      needs: /AccessSecrets.*Write/s,
      undo: () => removes(EXCHANGE_CREDENTIALS, 'new')(),
    },
    {
      name: 'change an ExchangeCredential',
      ask: () => patches(EXCHANGE_CREDENTIALS, maker(), { spec: { owner: 'another desk' } }),
      may: 'writer',
      mayNot: ['mallory', 'deployer', 'responder'],
      needs: /AccessSecrets.*Write/s,
    },
    {
      name: 'change the labels of an ExchangeCredential',
      ask: () =>
        patches(EXCHANGE_CREDENTIALS, maker(), { metadata: { labels: { desk: 'another' } } }),
      may: 'writer',
      mayNot: ['mallory', 'deployer'],
      needs: /AccessSecrets.*Write/s,
    },
    {
      name: 'rotate',
      ask: () => annotates({ 'strongroom.dev/rotate': 'table' }),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
      undo: () => takesOff('strongroom.dev/rotate')(),
    },
    {
      name: 'roll back',
      ask: () => annotates({ 'strongroom.dev/rollback-to': '1/table' }),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
      undo: () => takesOff('strongroom.dev/rollback-to')(),
    },
    {
      name: 'revoke a version',
      ask: () => annotates({ 'strongroom.dev/revoke': '99/table' }),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
      undo: () => takesOff('strongroom.dev/revoke')(),
    },
    {
      name: 'adopt a vault entry',
      ask: () => annotates({ 'strongroom.dev/adopt': 'b5b1f3c4-0000-4000-8000-000000000000' }),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
      undo: () => takesOff('strongroom.dev/adopt')(),
    },
    {
      name: 'suspend',
      given: () => scene.credential('suspended'),
      ask: () =>
        patches(
          EXCHANGE_CREDENTIALS,
          { namespace: trading, name: 'suspended' },
          { spec: { state: 'Suspended' } },
        ),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
    },
    {
      name: 'revoke for good',
      given: () => scene.credential('revoked'),
      ask: () =>
        patches(
          EXCHANGE_CREDENTIALS,
          { namespace: trading, name: 'revoked' },
          { spec: { state: 'Revoked' } },
        ),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
    },
    {
      name: 'delete an ExchangeCredential',
      given: () => scene.credential('deleted'),
      ask: () => deletes(EXCHANGE_CREDENTIALS, { namespace: trading, name: 'deleted' }),
      may: 'keeper',
      mayNot: ['mallory', 'deployer', 'writer'],
      needs: /AccessSecrets.*Admin/s,
    },
    {
      name: 'write an AccessPolicy',
      ask: writesPolicy('harmless'),
      may: 'head',
      mayNot: ['mallory', 'keeper', 'responder', 'blocker'],
      needs: /ManageUsers/,
      undo: () => removes(ACCESS_POLICIES, scene.named('harmless'), false)(),
    },
    {
      name: 'write an AccessPolicy that reaches further than one administers',
      ask: writesPolicy('far', () => ({ credentials: { namespaces: ['*'] } })),
      may: 'security',
      mayNot: ['head'],
      needs: /ManageUsers/,
      undo: () => removes(ACCESS_POLICIES, scene.named('far'), false)(),
    },
    ...(['AccessSecrets', 'EmergencyOverride', 'ManageUsers'] as const).map((permission): Row => ({
      name: `grant ${permission}, which one has to hold`,
      ask: writesPolicy(`grants-${permission.toLowerCase()}`, () => ({
        roles: [],
        permissions: [permission],
        ...(permission === 'ManageUsers'
          ? { credentials: { namespaces: [trading, 'elsewhere'] } }
          : {}),
      })),
      may: 'security',
      mayNot: ['head'],
      needs: new RegExp(`to give ${permission}|ManageUsers`),
      undo: () =>
        removes(ACCESS_POLICIES, scene.named(`grants-${permission.toLowerCase()}`), false)(),
    })),
    {
      name: 'write an IPBlock for a namespace',
      ask: () => blockOf('block', { scope: { namespaces: [trading] } }),
      may: 'blocker',
      mayNot: ['mallory', 'keeper', 'head'],
      needs: /ManageNetworkBlocks/,
      undo: () => removes(IP_BLOCKS, scene.named('block'), false)(),
    },
    {
      name: 'write an IPBlock for all namespaces',
      ask: () => blockOf('wide', {}),
      may: 'security',
      mayNot: ['mallory', 'blocker'],
      needs: /ManageNetworkBlocks/,
      undo: () => removes(IP_BLOCKS, scene.named('wide'), false)(),
    },
    {
      name: 'run a pod under an account that may mount',
      ask: () =>
        creates(PODS, podOf(trading, 'runs', { account: 'maker', secrets: ['maker-keys'] })),
      may: 'deployer',
      mayNot: ['mallory', 'oncall', 'head', 'blocker'],
      needs: /AccessSecrets/,
      undo: () => removes(PODS, 'runs')(),
    },
    ...WORKLOAD_NAMES.map((kind): Row => ({
      name: `make a ${kind} under an account that may mount`,
      ask: () => creates(WORKLOADS[kind], workloadOf(kind, trading, 'runs', { account: 'maker' })),
      may: 'deployer',
      mayNot: ['mallory', 'oncall', 'head'],
      needs: /AccessSecrets/,
      undo: () => removes(WORKLOADS[kind], 'runs')(),
    })),
    {
      name: 'give a ServiceAccount a guarded pull secret',
      ask: () =>
        creates(SERVICE_ACCOUNTS, {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { namespace: trading, name: 'pulls' },
          imagePullSecrets: [{ name: 'maker-keys' }],
        }),
      may: 'deployer',
      mayNot: ['mallory', 'oncall', 'head'],
      needs: /maker/,
      undo: () => removes(SERVICE_ACCOUNTS, 'pulls')(),
    },
    {
      name: 'get a token of an account that may mount',
      ask: () =>
        posts(SERVICE_ACCOUNTS, maker(), 'token', {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds: 600 },
        }),
      may: 'deployer',
      mayNot: ['mallory', 'oncall', 'head'],
      needs: /AccessSecrets/,
    },
    {
      name: 'ask for an EmergencyAccess',
      ask: () => creates(EMERGENCY_ACCESSES, emergency('wanted')),
      may: 'oncall',
      mayNot: ['mallory'],
      needs: /polic/i,
      undo: () => removes(EMERGENCY_ACCESSES, 'wanted')(),
    },
    {
      name: 'turn an EmergencyAccess down',
      given: asked('denied'),
      ask: decides('denied', 'deny'),
      may: 'responder',
      mayNot: ['mallory', 'keeper', 'head'],
      needs: /EmergencyOverride/,
    },
    {
      name: 'end an EmergencyAccess',
      given: asked('ended'),
      ask: decides('ended', 'end'),
      may: 'security',
      mayNot: ['mallory', 'keeper', 'head'],
      needs: /SecurityAdmin/,
    },
    {
      name: 'approve an EmergencyAccess',
      given: asked('approved'),
      ask: decides('approved', 'approve'),
      may: 'responder',
      mayNot: ['mallory', 'oncall', 'keeper', 'head'],
      needs: /EmergencyOverride|subject|yourself|asked/,
    },
    {
      name: 'take the guarded label off a namespace',
      given: unguarded.given,
      ask: () => unguarded.labels({ 'strongroom.dev/guarded': null }),
      may: 'keeper',
      mayNot: ['mallory', 'head', 'writer'],
      needs: /Admin/,
    },
    {
      name: 'change the environment of a namespace',
      given: moved.given,
      ask: () => moved.labels({ 'strongroom.dev/environment': 'Development' }),
      may: 'keeper',
      mayNot: ['mallory', 'head', 'writer'],
      needs: /Admin/,
    },
    {
      name: 'delete a guarded namespace',
      given: gone.given,
      ask: () => gone.deletes(),
      may: 'keeper',
      mayNot: ['mallory', 'head', 'writer'],
      needs: /Admin/,
    },
  ];

  it.each(rows)('$name', async ({ given, ask, may, mayNot, needs, undo }) => {
    await using stack = new AsyncDisposableStack();
    if (given !== undefined) stack.use(await given());
    for (const who of mayNot) {
      const answers: Answer[] = [];
      for (const request of [asDryRun(ask()), ask()]) {
        answers.push(await scene.people[who].ask(request));
      }
      const told = answers.map(({ status, message }) => ({ who, status, message }));
      const refusal = { who, status: 403, message: expect.stringMatching(needs) };
      expect(told).toEqual([refusal, refusal]);
      expect(told[0]?.message).toBe(told[1]?.message);
    }
    const before = await stateAt(ask());
    await passes(scene.people[may], ask());
    expect(await stateAt(ask())).toEqual(before);
    const { status, message } = await scene.people[may].ask(ask());
    expect([status < 300, message]).toEqual([true, '']);
    await undo?.();
  });

  /** What stands where the request would write: changed by itself it would change nothing. */
  async function stateAt({ method, path, body }: Ask): Promise<unknown> {
    const name = (body as Partial<KubeObject> | undefined)?.metadata?.name;
    const at = method === 'POST' ? `${path}/${name ?? ''}` : path;
    const { status, object } = await scene.admin.ask({ method: 'GET', path: at });
    if (status >= 300) return status;
    const { labels, annotations, deletionTimestamp } = object?.metadata ?? {};
    const { spec } = object as { readonly spec?: unknown };
    return { labels, annotations, deletionTimestamp, spec };
  }

  const refusal = (message: RegExp): object => ({
    status: 403,
    message: expect.stringMatching(message),
  });

  describe('updates are judged by both states', () => {
    it('nobody moves a credential out of reach of the policy that keeps others off', async () => {
      await using stack = new AsyncDisposableStack();
      stack.use(await scene.credential('labelled', { desk: 'mm' }));
      stack.use(
        await scene.policy('desk-writer', {
          subjects: [{ kind: 'User', name: scene.usernameOf('mallory') }],
          permissions: ['AccessSecrets'],
          accessLevel: 'Write',
          environments: ['Production'],
          credentials: { namespaces: [trading], selector: { matchLabels: { desk: 'mm' } } },
        }),
      );
      const at = { namespace: trading, name: 'labelled' };
      const { mallory } = scene.people;
      await passes(mallory, patches(EXCHANGE_CREDENTIALS, at, { spec: { owner: 'me' } }));
      for (const desk of [null, 'other']) {
        const ask = patches(EXCHANGE_CREDENTIALS, at, { metadata: { labels: { desk } } });
        expect(await mallory.ask(ask)).toMatchObject(refusal(/AccessSecrets.*Write/s));
      }
      const into = patches(EXCHANGE_CREDENTIALS, maker(), { metadata: { labels: { desk: 'mm' } } });
      expect(await mallory.ask(into)).toMatchObject(refusal(/AccessSecrets.*Write/s));
    });

    it('nobody widens or narrows a policy that reaches further than they administer', async () => {
      await using far = await scene.policy('reaching', {
        subjects: [{ kind: 'User', name: scene.usernameOf('oncall') }],
        roles: ['ComplianceOfficer'],
        environments: ['Production'],
        credentials: { namespaces: [trading, 'elsewhere'] },
      });
      const narrower = { spec: { credentials: { namespaces: [trading] } } };
      const ask = patches(ACCESS_POLICIES, far, narrower);
      expect(await scene.people.head.ask(ask)).toMatchObject(refusal(/ManageUsers/));
      expect(await scene.people.head.ask(deletes(ACCESS_POLICIES, far))).toMatchObject(
        refusal(/ManageUsers/),
      );
      await passes(scene.people.security, ask);
    });
  });

  describe('granting', () => {
    it('nobody grants to themselves, by name or by group; a Deny may name oneself', async () => {
      const { security } = scene.people;
      const me = { kind: 'User', name: scene.usernameOf('security') } as const;
      const mine = { kind: 'Group', name: scene.anything } as const;
      for (const subject of [me, mine]) {
        const ask = writesPolicy('self', () => ({ subjects: [subject] }))();
        expect(await security.ask(ask)).toMatchObject(refusal(/yourself|themselves|itself/i));
        await passes(
          security,
          writesPolicy('self', () => ({ subjects: [subject], effect: 'Deny' }))(),
        );
      }
      await using other = await scene.policy('of-another', {
        subjects: [{ kind: 'User', name: scene.usernameOf('oncall') }],
        roles: ['ComplianceOfficer'],
        environments: ['Production'],
        credentials: { namespaces: [trading] },
      });
      const joins = patches(ACCESS_POLICIES, other, {
        spec: { subjects: [{ kind: 'User', name: scene.usernameOf('oncall') }, me] },
      });
      expect(await security.ask(joins)).toMatchObject(refusal(/yourself|themselves|itself/i));
    });

    it('the last who administers everything stays, but for system:masters', async () => {
      const { security } = scene.people;
      const name = scene.named('security');
      const alone = { namespaces: [trading] };
      await using second = await scene.policy('second', {
        subjects: [{ kind: 'User', name: scene.usernameOf('head') }],
        roles: ['SecurityAdmin'],
        accessLevel: 'Admin',
        environments: [...ENVIRONMENTS],
        credentials: { namespaces: ['*'] },
      });
      const ends = [
        deletes(ACCESS_POLICIES, { name }),
        patches(ACCESS_POLICIES, { name }, { spec: { credentials: alone } }),
        patches(ACCESS_POLICIES, { name }, { spec: { accessLevel: 'Read' } }),
      ];
      // While somebody else administers too, it is as any other.
      for (const ask of ends) await passes(scene.people.head, ask);
      await scene.client.delete(ACCESS_POLICIES, { name: second.name });
      for (const ask of ends) {
        const answer = await isRefusedFor(/administer|ManageUsers/, ask);
        expect(answer).toMatchObject(refusal(/last|nobody/i));
      }
      await passes(scene.admin, ends[0] ?? deletes(ACCESS_POLICIES, { name }));

      function isRefusedFor(why: RegExp, ask: Ask): Promise<Answer> {
        return eventually(
          async () => {
            const answer = await security.ask(asDryRun(ask));
            return answer.status === 403 && why.test(answer.message) ? answer : undefined;
          },
          { what: 'the last administrator to be kept' },
        );
      }
    });
  });

  describe('stamps', () => {
    const stampsOf = async (
      resource: Resource,
      at: { readonly namespace?: string; readonly name: string },
    ): Promise<{ createdBy: Stamp; requestedBy: Readonly<Record<string, Stamp>> }> => {
      const { metadata } = await scene.client.get<KubeObject>(resource, at);
      const read = (name: string): unknown =>
        JSON.parse(metadata.annotations?.[`strongroom.dev/${name}`] ?? '{}');
      return {
        createdBy: read('created-by') as Stamp,
        requestedBy: read('requested-by') as Readonly<Record<string, Stamp>>,
      };
    };
    interface Stamp {
      readonly username?: string;
      readonly groups?: readonly string[];
    }

    it('who created and who asked stand on the object, whatever they write themselves', async () => {
      const { writer, keeper } = scene.people;
      const at = { namespace: trading, name: 'stamped' };
      const forged = JSON.stringify({ username: 'system:admin', groups: ['system:masters'] });
      const object = credentialOf(at);
      const annotations = { 'strongroom.dev/created-by': forged };
      const forging = { ...object, metadata: { ...at, annotations } };
      expect(await writer.ask(creates(EXCHANGE_CREDENTIALS, forging))).toMatchObject({
        status: 201,
      });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => scene.client.delete(EXCHANGE_CREDENTIALS, at));
      const created = await stampsOf(EXCHANGE_CREDENTIALS, at);
      expect(created.createdBy).toMatchObject({
        username: scene.usernameOf('writer'),
        groups: expect.arrayContaining([scene.anything, 'system:authenticated']),
      });
      const rotate = { 'strongroom.dev/rotate': 'stamp' };
      await passes(
        keeper,
        patches(EXCHANGE_CREDENTIALS, at, { metadata: { annotations: rotate } }),
      );
      expect(
        await keeper.ask(patches(EXCHANGE_CREDENTIALS, at, { metadata: { annotations: rotate } })),
      ).toMatchObject({ status: 200 });
      const asked = await stampsOf(EXCHANGE_CREDENTIALS, at);
      expect(JSON.stringify(asked.requestedBy)).toContain(scene.usernameOf('keeper'));
      expect(asked.createdBy).toEqual(created.createdBy);
    });

    it('nobody changes them afterwards', async () => {
      const at = { namespace: trading, name: 'kept' };
      expect(
        await scene.people.writer.ask(creates(EXCHANGE_CREDENTIALS, credentialOf(at))),
      ).toMatchObject({ status: 201 });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => scene.client.delete(EXCHANGE_CREDENTIALS, at));
      const before = await stampsOf(EXCHANGE_CREDENTIALS, at);
      for (const value of [null, '{}', JSON.stringify({ username: 'somebody else' })]) {
        for (const name of ['created-by', 'requested-by']) {
          const annotations = { [`strongroom.dev/${name}`]: value };
          await scene.people.keeper.ask(
            patches(EXCHANGE_CREDENTIALS, at, { metadata: { annotations } }),
          );
          expect(await stampsOf(EXCHANGE_CREDENTIALS, at)).toEqual(before);
        }
      }
    });

    it('who acts as somebody else is stamped, and judged, as that one', async () => {
      const at = { namespace: trading, name: 'acted' };
      const ask = creates(EXCHANGE_CREDENTIALS, credentialOf(at));
      const as = (name: PersonName) => ({
        username: scene.usernameOf(name),
        groups: [scene.anything],
      });
      expect(await scene.admin.ask(ask, as('mallory'))).toMatchObject({ status: 403 });
      expect(await scene.people.mallory.ask(ask, as('writer'))).toMatchObject({ status: 201 });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => scene.client.delete(EXCHANGE_CREDENTIALS, at));
      const { createdBy } = await stampsOf(EXCHANGE_CREDENTIALS, at);
      expect(createdBy.username).toBe(scene.usernameOf('writer'));
    });
  });

  describe('nobody but the operator', () => {
    it('changes or deletes a managed Secret', async () => {
      const at = { namespace: trading, name: 'maker-keys' };
      for (const who of ['mallory', 'keeper', 'security'] as const) {
        for (const ask of [
          patches(SECRETS, at, { data: { key: 'bWluZQ==' } }),
          patches(SECRETS, at, { metadata: { labels: { 'strongroom.dev/credential': null } } }),
          patches(SECRETS, at, { metadata: { annotations: { note: 'x' } } }),
          deletes(SECRETS, at),
        ]) {
          expect(await scene.people[who].ask(ask)).toMatchObject(refusal(/operator|strongroom/i));
        }
      }
    });

    it('touches vault entries, seal keys and certificates', async () => {
      const { namespace } = installation;
      const { items } = await scene.client.list(
        SECRETS,
        { namespace },
        { labelSelector: 'strongroom.dev/component' },
      );
      expect(items.length).toBeGreaterThan(3);
      for (const { metadata } of items) {
        const at = { namespace, name: metadata.name };
        for (const ask of [
          patches(SECRETS, at, { metadata: { annotations: { note: 'x' } } }),
          patches(SECRETS, at, { metadata: { labels: { 'strongroom.dev/component': null } } }),
          deletes(SECRETS, at),
        ]) {
          expect(await scene.people.security.ask(ask)).toMatchObject(
            refusal(/operator|strongroom/i),
          );
        }
      }
    });

    it('writes the table that the twin reads', async () => {
      const table: Resource = {
        group: 'strongroom.dev',
        version: 'v1alpha1',
        kind: 'NamespaceAccess',
        plural: 'namespaceaccesses',
        namespaced: true,
      };
      const at = { namespace: trading, name: 'strongroom' };
      for (const ask of [
        patches(table, at, { spec: { secrets: {}, rules: [] } }),
        deletes(table, at),
        creates(table, {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'NamespaceAccess',
          metadata: { namespace: trading, name: 'another' },
          spec: { secrets: {}, rules: [] },
        }),
      ]) {
        expect(await scene.people.security.ask(ask)).toMatchObject(refusal(/operator|strongroom/i));
      }
    });

    it('changes what it generates for policies', async () => {
      for (const [resource, labelSelector] of [
        [ROLES, 'strongroom.dev/component=access-policy'],
        [ROLE_BINDINGS, 'strongroom.dev/component=access-policy'],
      ] as const) {
        const { items } = await scene.client.list<KubeObject>(
          resource,
          { namespace: trading },
          { labelSelector },
        );
        expect(items.length).toBeGreaterThan(0);
        const at = { namespace: trading, name: items[0]?.metadata.name ?? '' };
        for (const ask of [
          patches(resource, at, { metadata: { annotations: { note: 'x' } } }),
          deletes(resource, at),
        ]) {
          expect(await scene.people.security.ask(ask)).toMatchObject(
            refusal(/operator|strongroom/i),
          );
        }
      }
      const forged = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: {
          namespace: trading,
          name: 'strongroom-forged',
          labels: { 'app.kubernetes.io/managed-by': 'strongroom' },
        },
        spec: { podSelector: {}, ingress: [{}] },
      };
      expect(await scene.people.security.ask(creates(NETWORK_POLICIES, forged))).toMatchObject(
        refusal(/operator|strongroom/i),
      );
    });

    it('writes the status of our kinds', async () => {
      const status = { conditions: [] };
      const security = { name: scene.named('security') };
      for (const ask of [
        patches(EXCHANGE_CREDENTIALS, maker(), { status }, { subresource: 'status' }),
        patches(ACCESS_POLICIES, security, { status }, { subresource: 'status' }),
      ]) {
        expect(await scene.people.security.ask(ask)).toMatchObject(refusal(/operator|strongroom/i));
      }
    });

    it('uses accounts of emergency access', async () => {
      const account = {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace: trading, name: 'strongroom-emergency-mine' },
      };
      const { security } = scene.people;
      expect(await security.ask(creates(SERVICE_ACCOUNTS, account))).toMatchObject(
        refusal(/emergency|operator/i),
      );
      for (const ask of [
        creates(PODS, podOf(trading, 'taker', { account: account.metadata.name })),
        creates(
          WORKLOADS.Deployment,
          workloadOf('Deployment', trading, 'taker', { account: account.metadata.name }),
        ),
      ]) {
        expect(await security.ask(ask)).toMatchObject(refusal(/emergency/i));
      }
    });
  });

  describe('the label of the ServiceAccount', () => {
    const LABEL = 'strongroom.dev/service-account';

    it('stands on each pod, whatever its maker writes, and is not changed', async () => {
      const at = { namespace: trading, name: 'labelled' };
      const { mallory } = scene.people;
      expect(await mallory.ask(creates(PODS, podOf(trading, 'labelled')))).toMatchObject({
        status: 201,
        object: { metadata: { labels: { [LABEL]: 'plain' } } },
      });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => scene.client.delete(PODS, at));
      for (const value of [null, 'maker']) {
        const ask = patches(PODS, at, { metadata: { labels: { [LABEL]: value } } });
        const { status } = await mallory.ask(ask);
        const { metadata } = await scene.client.get(PODS, at);
        expect([value, status === 200 || status === 403, metadata.labels?.[LABEL]]).toEqual([
          value,
          true,
          'plain',
        ]);
      }
      const forged = podOf(trading, 'forged', { labels: { [LABEL]: 'maker' } });
      expect(await mallory.ask(creates(PODS, forged))).toMatchObject(refusal(/service-account/));
    });

    it('has to fit: longer names of accounts run no pods', async () => {
      const name = `long-${'x'.repeat(60)}`;
      await scene.client.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { namespace: trading, name },
      });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => scene.client.delete(SERVICE_ACCOUNTS, { namespace: trading, name }));
      const ask = creates(PODS, podOf(trading, 'taker', { account: name }));
      expect(await scene.people.mallory.ask(ask)).toMatchObject({
        message: expect.stringMatching(/63/),
      });
    });
  });

  it('the label of the probe is refused for everyone', async () => {
    const labels = { 'strongroom.dev/probe': 'x' };
    const object = { ...credentialOf({ namespace: trading, name: 'probe', labels }) };
    for (const person of [scene.people.writer, scene.admin]) {
      expect(await person.ask(asDryRun(creates(EXCHANGE_CREDENTIALS, object)))).toMatchObject(
        refusal(/probe/),
      );
    }
  });

  describe('exempt, and only for what they need', () => {
    it('controllers make pods from a checked template, and the garbage collector takes them', async () => {
      const at = { namespace: trading, name: 'checked' };
      const deployment = workloadOf('Deployment', trading, 'checked', {
        account: 'maker',
        secrets: ['maker-keys'],
        replicas: 2,
      });
      expect(
        await scene.people.deployer.ask(creates(WORKLOADS.Deployment, deployment)),
      ).toMatchObject({ status: 201 });
      const pods = (): Promise<readonly string[]> =>
        scene.client
          .list(PODS, { namespace: trading }, { labelSelector: 'example.com/of=checked' })
          .then(({ items }) => items.map(({ metadata }) => metadata.name));
      await eventually(async () => (await pods()).length === 2, {
        what: 'the pods of the Deployment',
      });
      const changes = (body: object): Ask =>
        patches(WORKLOADS.Deployment, at, body, { patch: 'strategic' });
      // Scaling changes nothing that was checked; another program under the account does.
      await passes(scene.people.mallory, changes({ spec: { replicas: 1 } }));
      const containers = [{ name: 'main', image: 'strongroom.test/none:2' }];
      const image = changes({ spec: { template: { spec: { containers } } } });
      expect(await scene.people.mallory.ask(image)).toMatchObject(refusal(/AccessSecrets/));
      await passes(scene.people.deployer, image);
      await scene.client.delete(WORKLOADS.Deployment, at);
      await eventually(async () => (await pods()).length === 0, {
        what: 'the garbage collector to take the pods',
      });
    });

    it('their names alone help nobody: who acts as one makes no pod of their own', async () => {
      const controller = {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        groups: ['system:serviceaccounts', scene.anything],
      };
      const ask = creates(PODS, podOf(trading, 'taker', { account: 'maker' }));
      expect(await scene.admin.ask(asDryRun(ask), controller)).toMatchObject({ status: 403 });
    });

    it('a guarded namespace that somebody deletes goes, with all that is in it', async () => {
      const end = guarded('ending');
      await using stack = new AsyncDisposableStack();
      stack.use(await end.given());
      const name = end.deletes().path.split('/').at(-1) ?? '';
      for (const account of ['plain', 'default']) {
        await eventually(
          async () => {
            const at = { namespace: name, name: account };
            if (account === 'default') return scene.client.find(SERVICE_ACCOUNTS, at);
            return scene.client.create(SERVICE_ACCOUNTS, {
              apiVersion: 'v1',
              kind: 'ServiceAccount',
              metadata: at,
            });
          },
          { what: `the account ${account}` },
        );
      }
      const credential = { namespace: name, name: 'maker' };
      await scene.client.create(EXCHANGE_CREDENTIALS, credentialOf(credential));
      const secret = { namespace: name, name: 'maker-keys' };
      await eventually(() => scene.client.find(SECRETS, secret), { what: 'the Secret' });
      await eventually(
        () =>
          scene.client.create(
            PODS,
            podOf(name, 'runs', { account: 'plain', spec: { terminationGracePeriodSeconds: 0 } }),
          ),
        { what: 'a pod' },
      );
      await passes(scene.people.keeper, end.deletes());
      expect(await scene.people.keeper.ask(end.deletes())).toMatchObject({ status: 200 });
      await eventually(async () => (await scene.client.find(NAMESPACES, { name })) === undefined, {
        what: `the namespace ${name} to go`,
        timeoutMs: 90_000,
      });
    });

    it('the storage-version migrator writes what is there, and nothing else', async () => {
      const migrator = {
        username: 'system:serviceaccount:kube-system:storage-version-migrator-controller',
        groups: ['system:serviceaccounts', scene.anything],
      };
      for (const [resource, name] of [
        [EXCHANGE_CREDENTIALS, 'maker'],
        [SECRETS, 'maker-keys'],
        [ROLES, `strongroom:policy:${scene.named('oncall')}`],
      ] as const) {
        const get = gets(resource, { namespace: trading, name });
        const put = async (change: object): Promise<number> => {
          const { object } = await scene.admin.ask(get);
          const body = { ...object, metadata: { ...object?.metadata, ...change } };
          return (await scene.admin.ask({ method: 'PUT', path: get.path, body }, migrator)).status;
        };
        // The operator may write it in between.
        await eventually(async () => (await put({})) === 200, {
          what: `${name} to be written again as it is`,
        });
        const changed = await eventually(
          async () => {
            const status = await put({ annotations: { 'example.com/note': 'x' } });
            return status === 409 ? undefined : status;
          },
          { what: `${name} to be changed` },
        );
        expect([name, changed]).toEqual([name, 403]);
      }
    });

    it('kubelets get tokens for their pods, and others not by their groups', async () => {
      await using stack = new AsyncDisposableStack();
      const node = scene.named('kubelet');
      await scene.client.create(NODES, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: node },
      });
      stack.defer(() => scene.client.delete(NODES, { name: node }));
      const pod = podOf(trading, 'on-node', {
        account: 'maker',
        // The API server gives a kubelet no token that no pod of its node mounts.
        spec: { nodeName: node, automountServiceAccountToken: true },
      });
      const { metadata } = await scene.client.create(PODS, pod);
      const at = { namespace: trading, name: 'on-node' };
      stack.defer(() => scene.client.delete(PODS, at, { gracePeriodSeconds: 0 }));
      const ask = posts(SERVICE_ACCOUNTS, maker(), 'token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          expirationSeconds: 600,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'on-node', uid: metadata.uid },
        },
      });
      const kubelet = { username: `system:node:${node}`, groups: ['system:nodes'] };
      await eventually(async () => (await scene.admin.ask(ask, kubelet)).status === 201, {
        what: 'a token for a kubelet',
      });
      expect(await isRefused(scene.people.mallory, ask)).toMatchObject({ status: 403 });
    });
  });

  it('with ServiceAccounts by token, as with people', async () => {
    const pod = creates(PODS, podOf(trading, 'by-token', { account: 'maker' }));
    expect(await scene.bots.plain.ask(asDryRun(pod))).toMatchObject(refusal(/AccessSecrets/));
    await passes(scene.bots.maker, pod);
    const rotate = annotates({ 'strongroom.dev/rotate': 'bot' });
    for (const bot of [scene.bots.plain, scene.bots.maker]) {
      expect(await bot.ask(asDryRun(rotate))).toMatchObject(refusal(/AccessSecrets.*Admin/s));
    }
  });
});

const CONFIGURATIONS = [
  VALIDATING_WEBHOOKS,
  MUTATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
] as const;

describe('uninstalling', () => {
  it('leaves no webhook configuration and no policy of the twin behind', async () => {
    await using installation = await createAdmissionInstallation();
    const { client, namespace } = installation;
    await installation.start('one');
    const ofKind = async (resource: Resource<KubeObject>): Promise<readonly KubeObject[]> => {
      try {
        return (await client.list(resource, { allNamespaces: true })).items;
      } catch (error) {
        // Mutating policies are not served by every version.
        if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) return [];
        throw error;
      }
    };
    const left = async (): Promise<readonly string[]> => {
      const items = await Promise.all(
        CONFIGURATIONS.map((resource) => ofKind(resource as Resource<KubeObject>)),
      );
      return items
        .flat()
        .filter(
          ({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'strongroom',
        )
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    };
    expect((await left()).length).toBeGreaterThan(4);
    for (const operator of installation.running()) await operator.stop();
    await uninstallChart(inject('kubeconfig'), namespace);
    await using stack = new AsyncDisposableStack();
    // For the end of the installation, which takes it away.
    stack.defer(() => installChart(inject('kubeconfig'), namespace));
    await eventually(async () => (await left()).length === 0, {
      what: 'the garbage collector to take the configurations',
      timeoutMs: 60_000,
    });
  });
});
