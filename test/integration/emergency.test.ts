/**
 * Break-glass as people do it: with the program, under their own certificates, with no rights but
 * those that AccessPolicies give, an operator that reviews, and a real API server.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessPolicy } from '../../src/api/access-policy.ts';
import { ACCESS_POLICIES } from '../../src/api/access-policy.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { EmergencyJson } from '../../src/cli/emergency-output.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { PODS, ROLE_BINDINGS, SECRETS, SERVICE_ACCOUNTS } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { startServer } from '../http-server.ts';
import { createAdmissionInstallation } from './admission-installation.ts';
import type { AdmissionInstallation } from './admission-installation.ts';
import { gets, personOf, posts } from './admission-people.ts';
import type { Answer, Person } from './admission-people.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { clientOf, userKubeconfig } from './identities.ts';
import { scratchDirectory } from './operator-process.ts';

const WHY = 'orders are stuck and must be cancelled by hand';
const NOTICE_KEY = 'a key of this test';

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Throws what a command says that failed. */
function succeeded({ code, stderr }: Printed): void {
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
}

interface Somebody extends Person {
  readonly kubeconfig: string;
  /** `strongroom emergency …` in the namespace; the exit code and what was printed. */
  emergency(...args: readonly string[]): Promise<Printed>;
}

describe('break-glass', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: AdmissionInstallation;
  let admin: KubeClient;
  let trading: TestNamespace;
  const people = new Map<string, Somebody>();
  const notices: { readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];

  beforeAll(async () => {
    const hook = cleanup.use(
      await startServer(async (request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        await once(request, 'end');
        notices.push({ headers: request.headers, body });
        response.writeHead(204).end();
      }),
    );
    const scratch = cleanup.use(await scratchDirectory());
    const keyFile = path.join(scratch.path, 'notice-key');
    await writeFile(keyFile, NOTICE_KEY, { mode: 0o600 });
    installation = cleanup.use(
      await createAdmissionInstallation({
        emergency: {
          maxDuration: '1h',
          noticeUrl: `${hook.url}/hook`,
          noticePlainHttp: true,
          noticeKeyFile: keyFile,
        },
      }),
    );
    admin = installation.client;
    trading = cleanup.use(
      await createNamespace(admin, 'night', {
        'strongroom.dev/guarded': 'true',
        'strongroom.dev/environment': 'Production',
      }),
    );
    await installation.start('one');
    for (const [name, spec] of [
      ['alice', { roles: ['Trader'] }],
      ['bob', { roles: ['EmergencyResponder'], accessLevel: 'Emergency' }],
      ['erin', { roles: ['ComplianceOfficer'] }],
      ['mallory', undefined],
    ] as const) {
      const username = `${name}-${trading.name}`;
      const kubeconfig = await userKubeconfig(admin, username, [], installation.scratch);
      const person = await personOf(name, kubeconfig);
      people.set(name, {
        ...person,
        kubeconfig,
        emergency: (...args) =>
          installation.command(['emergency', ...args, '-n', trading.name], kubeconfig),
      });
      if (spec === undefined) continue;
      const policy = `${name}-${trading.name}`;
      await admin.create<AccessPolicy>(ACCESS_POLICIES, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name: policy },
        spec: {
          subjects: [{ kind: 'User', name: username }],
          environments: ['Production'],
          credentials: { namespaces: [trading.name] },
          ...spec,
        },
      });
      cleanup.defer(() => admin.delete(ACCESS_POLICIES, { name: policy }));
    }
    for (const name of ['maker', 'hedge']) {
      await admin.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'ExchangeCredential',
        metadata: { namespace: trading.name, name },
        spec: {
          type: 'Password',
          environment: 'Production',
          owner: 'desk',
          source: { generate: {} },
          delivery: { secret: { name: `${name}-keys` } },
        },
      });
      await eventually(async () => (await credential(name)).status?.delivery, {
        what: `${name} to be delivered`,
      });
    }
    // Nothing runs them: a connection that is let through ends where the API server looks for a node.
    for (const name of ['maker', 'hedge']) {
      await admin.create<Pod>(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: trading.name, name: `${name}-0` },
        spec: {
          containers: [{ name: 'main', image: 'localhost/none' } as never],
          volumes: [{ name: 'keys', secret: { secretName: `${name}-keys` } }],
        },
      });
    }
    // The rights of everybody are there once the policies are RBAC.
    await eventually(
      async () => {
        const answers = await Promise.all(
          ['alice', 'bob', 'erin'].map((name) => of(name).emergency('list')),
        );
        return answers.every(({ code }) => code === 0) || undefined;
      },
      { what: 'the rights of the people', timeoutMs: 60_000, intervalMs: 500 },
    );
  });
  afterAll(() => cleanup.disposeAsync());

  function of(name: string): Somebody {
    const person = people.get(name);
    if (person === undefined) throw new Error(`${name} is nobody`);
    return person;
  }

  function credential(name: string): Promise<ExchangeCredential> {
    return admin.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace: trading.name, name });
  }

  const json = ({ stdout }: { readonly stdout: string }): EmergencyJson =>
    JSON.parse(stdout) as EmergencyJson;

  const show = async (name: string): Promise<EmergencyJson> =>
    json(await of('alice').emergency('show', name, '-o', 'json'));

  const exec = (name: string, pod: string): Promise<Answer> =>
    of(name).ask(
      posts(
        PODS,
        { namespace: trading.name, name: pod },
        'exec',
        undefined,
        '?command=id&stdout=true',
      ),
    );

  /** Whether the API server let the connection through to where the pod would be. */
  const isThrough = ({ status, message }: Answer): boolean =>
    status !== 403 && /host assigned|not found|does not have|Upgrade|upgrade/i.test(message);

  async function request(...args: readonly string[]): Promise<string> {
    const asked = await of('alice').emergency('request', '--reason', WHY, '-o', 'json', ...args);
    expect([asked.code, asked.stderr]).toEqual([0, expect.stringContaining('asked for')]);
    return json(asked).name;
  }

  async function active(...args: readonly string[]): Promise<string> {
    const name = await request(...args);
    const approved = await of('bob').emergency('approve', name, '--reason', 'seen in the call');
    succeeded(approved);
    await eventually(async () => (await show(name)).state === 'Active' || undefined, {
      what: `${name} to be active`,
    });
    return name;
  }

  it('goes from the request to the review', { timeout: 300_000 }, async () => {
    const [alice, bob, erin, mallory] = ['alice', 'bob', 'erin', 'mallory'].map(of) as [
      Somebody,
      Somebody,
      Somebody,
      Somebody,
    ];
    expect((await exec('alice', 'hedge-0')).status).toBe(403);
    // Somebody without any policy may not even ask.
    const outside = await mallory.emergency('request', '--pod', 'hedge-0', '--reason', WHY);
    expect(outside.code).toBe(4);

    const name = await request('--credential', 'maker', '--pod', 'hedge-0', '--for', '20m');
    const early = await alice.emergency('token', name);
    expect([early.code, early.stdout]).toEqual([1, '']);
    expect(early.stderr).toMatch(/is Pending; tokens are for one that is Active/);
    for (const [who, says] of [
      [alice, 'is its subject'],
      [erin, 'EmergencyOverride'],
      [mallory, 'forbidden'],
    ] as const) {
      const refused = await who.emergency('approve', name, '--reason', 'let me in, please');
      expect([refused.code, refused.stdout]).toEqual([4, '']);
      expect(refused.stderr.toLowerCase()).toContain(says.toLowerCase());
    }
    expect((await exec('alice', 'hedge-0')).status).toBe(403);

    const approved = json(
      await bob.emergency('approve', name, '--reason', 'seen in the call', '-o', 'json'),
    );
    expect(approved.approvals).toMatchObject([
      { username: `bob-${trading.name}`, reason: 'seen in the call', self: false },
    ]);
    await eventually(async () => (await show(name)).state === 'Active' || undefined, {
      what: 'it to be active',
    });

    // Into the pod that it names, for its subject alone.
    await eventually(async () => isThrough(await exec('alice', 'hedge-0')) || undefined, {
      what: 'the connection to be let through',
    });
    const other = await exec('alice', 'maker-0');
    expect([other.status, other.message]).toEqual([
      403,
      expect.stringContaining('EmergencyAccess'),
    ]);
    expect((await exec('bob', 'hedge-0')).status).toBe(403);

    // To the Secret that it names, by a token; never with the person's own rights.
    const own = await alice.ask(gets(SECRETS, { namespace: trading.name, name: 'maker-keys' }));
    expect(own.status).toBe(403);
    const given = await alice.emergency('token', name, '--format', 'kubeconfig');
    succeeded(given);
    const file = path.join(installation.scratch, 'night.kubeconfig');
    await writeFile(file, given.stdout, { mode: 0o600 });
    await using reader = await clientOf(file);
    const secret = (of: string) => reader.get(SECRETS, { namespace: trading.name, name: of });
    expect((await secret('maker-keys')).data).toHaveProperty('password');
    await expect(secret('hedge-keys')).rejects.toThrow('Forbidden');
    // No token that outlives it, and none of another account.
    const tokenOf = (account: string, expirationSeconds: number): Promise<Answer> =>
      alice.ask(
        posts(SERVICE_ACCOUNTS, { namespace: trading.name, name: account }, 'token', {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds },
        }),
      );
    const long = await tokenOf(`strongroom-emergency-${name}`, 3600);
    expect([long.status, long.message]).toEqual([422, expect.stringContaining('outlive')]);
    expect((await tokenOf('default', 600)).status).toBe(403);
    const stranger = await bob.emergency('token', name);
    expect([stranger.code, stranger.stdout]).toEqual([4, '']);

    // To change the credential that it names.
    const rotated = await installation.command(
      ['rotate', 'maker', '-n', trading.name, '--reason', 'the exchange refuses it'],
      alice.kubeconfig,
    );
    succeeded(rotated);
    const refused = await installation.command(
      ['rotate', 'hedge', '-n', trading.name, '--reason', 'and this one'],
      alice.kubeconfig,
    );
    expect(refused.code).toBe(4);
    await eventually(async () => (await show(name)).uses >= 3 || undefined, {
      what: 'its uses to be counted',
    });

    // With the operator gone everything that must be decided is refused; the token reads on.
    const again = await installation.stopAll();
    expect((await exec('alice', 'hedge-0')).message).toMatch(/webhook/);
    expect((await tokenOf(`strongroom-emergency-${name}`, 600)).message).toMatch(/webhook/);
    expect((await secret('maker-keys')).data).toHaveProperty('password');
    // They end with the installation.
    await again.startAgain();
    expect((await show(name)).state).toBe('Active');
    await eventually(async () => isThrough(await exec('alice', 'hedge-0')) || undefined, {
      what: 'the connection to be let through again',
    });

    const ended = json(await bob.emergency('end', name, '--reason', 'all done', '-o', 'json'));
    expect(ended).toMatchObject({
      state: 'Revoked',
      endedBy: `bob-${trading.name}`,
      reviewDue: true,
      reachable: [{ name: 'hedge', rotated: false }, { name: 'maker' }],
    });
    expect((await exec('alice', 'hedge-0')).status).toBe(403);
    await eventually(
      () =>
        secret('maker-keys').then(
          () => undefined,
          () => true,
        ),
      { what: 'the token to be refused' },
    );
    await eventually(
      async () => {
        const { items } = await admin.list(
          ROLE_BINDINGS,
          { namespace: trading.name },
          { labelSelector: 'strongroom.dev/emergency-access' },
        );
        return items.length === 0 || undefined;
      },
      { what: 'the bindings to go' },
    );
    const mark = await eventually(
      async () => (await credential('hedge')).metadata.annotations?.['strongroom.dev/rotation-due'],
      { what: 'the mark for rotation' },
    );
    expect(mark).toBe(name);

    // Not before the review of somebody else.
    const next = ['request', '--pod', 'hedge-0', '--reason', WHY, '--name', 'another'];
    const tooSoon = await alice.emergency(...next);
    expect([tooSoon.code, tooSoon.stderr]).toEqual([4, expect.stringContaining('review')]);
    const self = await alice.emergency('review', name, '--finding', 'all fine, trust me');
    expect([self.code, self.stderr]).toEqual([4, expect.stringContaining('somebody else')]);
    const due = await erin.emergency('list', '--review-due', '-o', 'json');
    expect((JSON.parse(due.stdout) as EmergencyJson[]).map((one) => one.name)).toEqual([name]);
    const reviewed = await erin.emergency('review', name, '--finding', 'two orders cancelled');
    succeeded(reviewed);
    expect((await show(name)).review).toMatchObject({ finding: 'two orders cancelled' });
    expect((await alice.emergency(...next)).code).toBe(0);
    expect((await alice.emergency('end', 'another', '--reason', 'not needed')).code).toBe(0);
    expect((await show('another')).state).toBe('Revoked');
  });

  it('tells a webhook of each step, signed', async () => {
    const types = (): readonly string[] =>
      notices.map(({ body }) => (JSON.parse(body) as { readonly type: string }).type);
    await eventually(() => types().includes('EmergencyReviewed') || undefined, {
      what: 'the notices',
    });
    for (const type of [
      'EmergencyRequested',
      'EmergencyApproved',
      'EmergencyActivated',
      'EmergencyUsed',
      'EmergencyRevoked',
      'EmergencyReviewDue',
    ]) {
      expect(types()).toContain(type);
    }
    for (const { headers, body } of notices) {
      const text = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
      const mac = createHmac('sha256', NOTICE_KEY).update(text).digest('base64');
      expect(headers['webhook-signature']).toBe(`v1,${mac}`);
    }
  });

  it('is turned down, and nothing comes of it', async () => {
    const name = await request('--pod', 'hedge-0');
    const denied = await of('bob').emergency('deny', name, '--reason', 'a rotation is enough');
    succeeded(denied);
    expect(await show(name)).toMatchObject({ state: 'Denied', reviewDue: false });
    expect((await exec('alice', 'hedge-0')).status).toBe(403);
    const late = await of('bob').emergency('approve', name, '--reason', 'or maybe it is right');
    expect([late.code, late.stderr]).toEqual([4, expect.stringContaining('Denied')]);
  });

  it('says what is missing where somebody waits in vain', async () => {
    const alice = of('alice');
    const wish = ['request', '--pod', 'hedge-0', '--reason', WHY];
    const vain = await alice.emergency(...wish, '--name', 'waits', '--wait', '--timeout', '2');
    expect([vain.code, vain.stderr]).toEqual([5, expect.stringContaining('Others approve it')]);
    const again = await alice.emergency(...wish, '--name', 'waits');
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('exists')]);
    const second = 'nobody else answers the phone now';
    const alone = await alice.emergency(...wish, '--self', '--second-reason', second);
    expect([alone.code, alone.stderr]).toEqual([
      4,
      expect.stringContaining('does not let a subject approve alone'),
    ]);
    const nobody = await of('bob').emergency('approve', 'nothing', '--reason', 'x');
    expect([nobody.code, nobody.stderr]).toEqual([3, expect.stringContaining('does not exist')]);
  });

  it('says at once that nothing counts while admission is gone', async () => {
    const name = await request('--pod', 'maker-0');
    await installation.deleteWebhooks();
    await installation.guards(false);
    const lost = await of('bob').emergency('approve', name, '--reason', 'seen in the call');
    expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('did not record')]);
    expect(lost.stderr).toContain('strongroom doctor');
    expect(lost.stderr).not.toContain('approved');
    expect((await show(name)).state).toBe('Pending');
    const unstamped = await of('alice').emergency('request', '--pod', 'maker-0', '--reason', WHY);
    expect([unstamped.code, unstamped.stderr]).toEqual([
      1,
      expect.stringContaining('can never begin'),
    ]);
    succeeded(await installation.command(['admission', 'restore']));
    await installation.guards();
    succeeded(await of('bob').emergency('approve', name, '--reason', 'seen in the call'));
    succeeded(await of('alice').emergency('end', name, '--reason', 'it was only a trial'));
    // It may have begun meanwhile; then nobody asks anew before that.
    await of('erin').emergency('review', name, '--finding', 'nobody got in');
  });

  it('is no RBAC of others while it is in force', async () => {
    const name = await active('--pod', 'hedge-0');
    const asked = ['who-can', 'retrieve', '-n', trading.name, '-o', 'json'];
    const { stdout } = await installation.command([
      ...asked,
      '--operator-namespace',
      installation.namespace,
    ]);
    expect(stdout).toContain('"weaknesses"');
    expect(stdout).not.toContain('strongroom:emergency:');
    succeeded(await of('alice').emergency('end', name, '--reason', 'it was only a trial'));
    await of('erin').emergency('review', name, '--finding', 'nobody got in');
  });

  // Takes a quarter of an hour, since no token of the API server is shorter than ten minutes.
  it('ends by itself with the operator killed', { timeout: 1_200_000 }, async ({ skip }) => {
    if (process.env['STRONGROOM_SLOW'] !== '1') {
      skip('takes 13 minutes, as the shortest token does; set STRONGROOM_SLOW=1');
    }
    const name = await active('--credential', 'maker', '--for', '12m');
    const given = await of('alice').emergency('token', name, '--format', 'kubeconfig');
    succeeded(given);
    const file = path.join(installation.scratch, 'slow.kubeconfig');
    await writeFile(file, given.stdout, { mode: 0o600 });
    for (const operator of installation.running()) await operator.kill();
    await using reader = await clientOf(file);
    const { expiresAt = '' } = await show(name);
    const endMs = Date.parse(expiresAt);
    let lastReadMs = 0;
    await eventually(
      async () => {
        try {
          await reader.get(SECRETS, { namespace: trading.name, name: 'maker-keys' });
          lastReadMs = Date.now();
          return undefined;
        } catch {
          return true;
        }
      },
      { what: 'the token to end', timeoutMs: 1_000_000, intervalMs: 1000 },
    );
    console.error(
      `the last read was ${Math.round((endMs - lastReadMs) / 1000)} s before the end of the access`,
    );
    expect(lastReadMs).toBeGreaterThan(0);
    expect(lastReadMs).toBeLessThanOrEqual(endMs);
    // What is cleaned up after this must be reviewed.
    await installation.start('two');
  });
});
