/** Replicas that review what a real API server is asked, and what holds when they do not answer. */
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { carryOut } from '../../src/admission/pki/carry-out.ts';
import { issueAuthority, issueServing } from '../../src/admission/pki/issue.ts';
import { readPki, writePki } from '../../src/admission/pki/stored-pki.ts';
import type { StoredPki } from '../../src/admission/pki/stored-pki.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import { NAMESPACE_ACCESSES } from '../../src/api/namespace-access.ts';
import type { KubeObject, Secret } from '../../src/kube/objects.ts';
import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  PODS,
  SECRETS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createAdmissionInstallation, startGuardedInstallation } from './admission-installation.ts';
import type { AdmissionInstallation } from './admission-installation.ts';
import { asDryRun, creates } from './admission-people.ts';
import type { Answer, Ask, Person } from './admission-people.ts';
import { credentialOf, isRefused, passes, podOf, setAdmissionScene } from './admission-scene.ts';
import type { AdmissionScene } from './admission-scene.ts';
import { installChart, uninstallChart } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

describe('admission, installed', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: AdmissionInstallation;
  let scene: AdmissionScene;
  let trading: string;

  beforeAll(async () => {
    installation = cleanup.use(await startGuardedInstallation({ replicas: 2 }));
    const { client, scratch } = installation;
    scene = cleanup.use(await setAdmissionScene({ client, scratch }));
    trading = scene.trading.name;
  });
  afterAll(() => cleanup.disposeAsync());

  const ownKind = (name = 'other'): Ask =>
    creates(EXCHANGE_CREDENTIALS, credentialOf({ name, namespace: trading }));
  const pod = (account: string, secrets: readonly string[] = []): Ask =>
    creates(PODS, podOf(trading, 'asked', { account, secrets }));
  const refusedByWebhook = /admission webhook "\w+\.strongroom\.dev" denied the request/;

  it('guards from its first start, and says so', async () => {
    await installation.guards();
    const [configuration] = (
      await installation.client.list(VALIDATING_WEBHOOKS, { allNamespaces: true })
    ).items.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by']);
    const owner = await installation.client.get(CLUSTER_ROLES, { name: 'strongroom-operator' });
    expect(configuration?.metadata.ownerReferences).toMatchObject([
      { kind: 'ClusterRole', name: 'strongroom-operator', uid: owner.metadata.uid },
    ]);
    const doctor = await installation.command(['doctor', '-o', 'json']);
    expect([doctor.code, doctor.stdout, doctor.stderr]).toMatchObject([
      0,
      expect.stringContaining('"guards": true'),
      '',
    ]);
  });

  it('says why it refuses, and what would be needed', async () => {
    const answer = await scene.people.mallory.ask(ownKind());
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.message).toMatch(refusedByWebhook);
    expect(answer.message).toMatch(/AccessSecrets at Write/);
    await passes(scene.people.writer, ownKind());
  });

  it('asks the API server nothing for a review', async () => {
    const before = await Promise.all(installation.running().map(callsOf));
    const rounds = 1_000;
    await inParallel(8, rounds, async (turn) => {
      const ask = turn % 2 === 0 ? pod('maker', ['maker-keys']) : ownKind(`n${turn}`);
      await scene.people.mallory.ask(asDryRun(ask));
    });
    const after = await Promise.all(installation.running().map(callsOf));
    const calls = after.reduce((sum, count) => sum + count, 0) - before.reduce((a, b) => a + b, 0);
    // Leases are renewed and probes are sent meanwhile; a call for a review would be one thousand.
    expect(calls).toBeLessThan(rounds / 2);
  });

  it('decides nothing wrong while one of two replicas is killed', async () => {
    const [, second] = installation.running();
    const load = startLoad();
    await load.rounds(100);
    await second?.kill();
    await load.rounds(200);
    const { wrong, unanswered, total } = await load.end();
    expect(wrong).toEqual([]);
    // Those that were under way when their replica died.
    expect(unanswered).toBeLessThan(total / 4);
    await installation.start('replica-2');
  });

  it('changes its certificates under load without a failed request', async () => {
    const at = { namespace: installation.namespace, name: 'strongroom-admission-tls' };
    const issuer = { issueAuthority, issueServing, entropy: () => new Uint8Array(32) };
    const names = ['127.0.0.1'];
    /** As the leader does it: one write a step. */
    async function step(kind: 'startCa' | 'switchLeaf' | 'dropOldCa'): Promise<StoredPki> {
      const secret = await installation.client.get(SECRETS, at);
      const next = await carryOut({ kind }, readPki(secret.data), names, Date.now(), issuer);
      await installation.client.replace(SECRETS, { ...secret, data: writePki(next) });
      return next;
    }
    const load = startLoad();
    await load.rounds(50);
    const started = await step('startCa');
    await bundleArrived(started);
    const switched = await step('switchLeaf');
    await eventually(
      async () =>
        (await Promise.all(installation.ports().map((port) => servedBy(port)))).every(
          (served) => served === fingerprintOf(switched),
        ),
      { what: 'every replica to serve the new certificate', timeoutMs: 30_000 },
    );
    await load.rounds(100);
    await bundleArrived(await step('dropOldCa'));
    await load.rounds(100);
    const { wrong, unanswered } = await load.end();
    expect({ wrong, unanswered }).toEqual({ wrong: [], unanswered: 0 });
  });

  describe('when the webhook does not answer', () => {
    /** By whom something is decided, or that nobody refuses it. */
    function decidedBy({ status, message }: Answer): string {
      if (status < 300) return 'let through';
      if (/ValidatingAdmissionPolicy 'strongroom-/.test(message)) return 'refused by the twin';
      return /failed calling webhook "\w+\.strongroom\.dev"/.test(message)
        ? 'refused, as nobody answers'
        : `${status} ${message}`;
    }

    async function decisions(): Promise<Record<string, string>> {
      const { mallory, deployer, writer } = scene.people;
      const note = (namespace: string): Ask =>
        creates(CONFIG_MAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'note', namespace },
        } as never);
      const asked: Readonly<Record<string, readonly [Person, Ask]>> = {
        'a pod of somebody who may not mount': [mallory, pod('maker')],
        'a pod of an account that may not mount': [deployer, pod('plain', ['maker-keys'])],
        'a pod of both who may': [deployer, pod('maker', ['maker-keys'])],
        'a pod without any Secret': [mallory, pod('plain')],
        'a credential of somebody who may write it': [writer, ownKind()],
        'anything elsewhere': [mallory, note('default')],
        'anything in kube-system': [mallory, note('kube-system')],
        'anything beside the operator': [mallory, note(installation.namespace)],
      };
      const found: Record<string, string> = {};
      for (const [what, [person, ask]] of Object.entries(asked)) {
        found[what] = decidedBy(await person.ask(asDryRun(ask)));
      }
      return found;
    }

    const BY_THE_TWIN_ALONE = {
      'a pod of somebody who may not mount': 'refused by the twin',
      'a pod of an account that may not mount': 'refused by the twin',
      'a pod of both who may': 'let through',
      'a pod without any Secret': 'let through',
      'a credential of somebody who may write it': 'refused, as nobody answers',
      'anything elsewhere': 'let through',
      'anything in kube-system': 'let through',
      'anything beside the operator': 'let through',
    };

    it('because it is killed', async () => {
      const stopped = await installation.stopAll();
      expect(await decisions()).toEqual(BY_THE_TWIN_ALONE);
      cleanup.use(await stopped.startAgain());
      await passes(scene.people.writer, ownKind());
    });

    it('because it stands still', async () => {
      for (const { pid } of installation.running()) process.kill(pid, 'SIGSTOP');
      try {
        expect(await decisions()).toEqual(BY_THE_TWIN_ALONE);
      } finally {
        for (const { pid } of installation.running()) process.kill(pid, 'SIGCONT');
      }
      await passes(scene.people.writer, ownKind());
    });

    it('because it is slow', async () => {
      const silent = createTcpServer();
      await new Promise<void>((resolve) => {
        silent.listen(0, '127.0.0.1', resolve);
      });
      {
        using _ = installation.balancer.divert((silent.address() as AddressInfo).port);
        expect(await decisions()).toEqual(BY_THE_TWIN_ALONE);
      }
      silent.close();
      await passes(scene.people.writer, ownKind());
    });

    it('because its certificate has expired', async () => {
      const { client, namespace } = installation;
      const { data } = await client.get(SECRETS, { namespace, name: 'strongroom-admission-tls' });
      const { authority } = readPki(data);
      if (authority === undefined) throw new Error('there is no authority');
      const longAgo = Date.now() - 100 * 86_400_000;
      const { cert, key } = await issueServing(authority, ['127.0.0.1'], longAgo);
      // Would let everything through.
      const expired = createServer({ cert, key }, (request, response) => {
        let text = '';
        request.on('data', (chunk: Buffer) => (text += chunk.toString()));
        request.on('end', () => {
          const { uid } = (JSON.parse(text) as { readonly request: { readonly uid: string } })
            .request;
          const answer = { uid, allowed: true };
          response.end(
            JSON.stringify({
              apiVersion: 'admission.k8s.io/v1',
              kind: 'AdmissionReview',
              response: answer,
            }),
          );
        });
      });
      await new Promise<void>((resolve) => {
        expired.listen(0, '127.0.0.1', resolve);
      });
      {
        using _ = installation.balancer.divert((expired.address() as AddressInfo).port);
        expect(await decisions()).toEqual(BY_THE_TWIN_ALONE);
      }
      expired.closeAllConnections();
      expired.close();
      await passes(scene.people.writer, ownKind());
    });
  });

  it('comes back after a long time off, with certificates that have run out', async () => {
    const { client, namespace } = installation;
    const at = { namespace, name: 'strongroom-admission-tls' };
    const issuer = { issueAuthority, issueServing, entropy: () => new Uint8Array(32) };
    const stopped = await installation.stopAll();
    const secret = await client.get(SECRETS, at);
    const longAgo = Date.now() - 1_000 * 86_400_000;
    const { stampKey } = readPki(secret.data);
    const before = { bundle: [], ...(stampKey === undefined ? {} : { stampKey }) };
    const old = await carryOut({ kind: 'create' }, before, ['127.0.0.1'], longAgo, issuer);
    await client.replace(SECRETS, { ...secret, data: writePki(old) });
    // Its own writes are not held up by what nobody answers.
    cleanup.use(await stopped.startAgain());
    await installation.guards();
    await eventually(
      async () => (await scene.people.writer.ask(asDryRun(ownKind()))).status === 201,
      { what: 'the API server to trust what is served now', timeoutMs: 60_000 },
    );
    await isRefused(scene.people.mallory, ownKind());
    expect(readPki((await client.get(SECRETS, at)).data).serving?.cert).not.toBe(old.serving?.cert);
  });

  it('tells of configurations that were taken away, and puts them back when asked', async () => {
    await installation.deleteWebhooks();
    await installation.guards(false);
    await lets(scene.people.mallory, ownKind());
    const doctor = await installation.command(['doctor']);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/the webhook refuses +Failed/);
    expect(await installation.command(['admission', 'restore'])).toMatchObject({ code: 0 });
    await installation.guards();
    await isRefused(scene.people.mallory, ownKind());
  });

  it('keeps a table of each guarded namespace, which nobody else writes', async () => {
    const at = { namespace: trading, name: 'strongroom' };
    await eventually(() => installation.client.find(NAMESPACE_ACCESSES, at), {
      what: 'the NamespaceAccess',
    });
    const answer = await scene.people.security.ask({
      method: 'DELETE',
      path: `/apis/strongroom.dev/v1alpha1/namespaces/${trading}/namespaceaccesses/strongroom?dryRun=All`,
    });
    expect(answer).toMatchObject({ status: 403 });
  });

  async function lets(person: Person, ask: Ask): Promise<void> {
    const answer = await person.ask(asDryRun(ask));
    expect([person.name, answer.message, answer.status]).toEqual([person.name, '', 201]);
  }

  /** Requests of which it is known how they have to end, one after the other, eight at a time. */
  function startLoad() {
    const cases: readonly (readonly [Person, Ask, boolean])[] = [
      [scene.people.mallory, ownKind(), false],
      [scene.people.writer, ownKind(), true],
      [scene.people.mallory, pod('maker'), false],
      [scene.people.deployer, pod('maker', ['maker-keys']), true],
    ];
    const wrong: string[] = [];
    let unanswered = 0;
    let total = 0;
    const over = new AbortController();
    const judge = ({ status, message }: Answer, isRight: boolean, by: string): void => {
      total += 1;
      if (status >= 500) unanswered += 1;
      else if (status < 300 !== isRight) wrong.push(`${by}: ${status} ${message}`);
    };
    const workers = Array.from({ length: 8 }, async (_, worker) => {
      for (let turn = worker; !over.signal.aborted; turn += 1) {
        const [person, ask, isRight] = cases[turn % cases.length] ?? cases[0]!;
        judge(await person.ask(asDryRun(ask)), isRight, `${person.name} ${ask.path}`);
      }
    });
    return {
      async rounds(count: number): Promise<void> {
        const until = total + count;
        await eventually(() => total >= until || undefined, {
          what: `${count} requests`,
          timeoutMs: 60_000,
        });
      },
      async end() {
        over.abort();
        await Promise.all(workers);
        return { wrong, unanswered, total };
      },
    };
  }

  async function bundleArrived({ bundle }: StoredPki): Promise<void> {
    const wanted = Buffer.from(bundle.map((pem) => `${pem.trim()}\n`).join('')).toString('base64');
    await eventually(
      async () => {
        const { items } = await installation.client.list(VALIDATING_WEBHOOKS, {
          allNamespaces: true,
        });
        const own = items.filter(
          ({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'strongroom',
        );
        return (
          own.length > 0 &&
          own.every(({ webhooks = [] }) =>
            webhooks.every(({ clientConfig }) => clientConfig.caBundle === wanted),
          )
        );
      },
      { what: 'the bundle in the configurations', timeoutMs: 60_000 },
    );
  }
});

describe('certificates that somebody else keeps, such as cert-manager', () => {
  it('are served, followed, and left alone', async () => {
    const secret = 'strongroom-admission-certificate';
    await using installation = await createAdmissionInstallation({
      admission: { certificate: { secret } },
    });
    const { client, namespace } = installation;
    const authority = await issueAuthority(Date.now());
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    async function issue() {
      const serving = await issueServing(authority, ['127.0.0.1'], Date.now());
      const data = {
        'tls.crt': encode(serving.cert),
        'tls.key': encode(serving.key),
        'ca.crt': encode(authority.cert),
      };
      return { serving, data };
    }
    const first = await issue();
    const made = await client.create<Secret>(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: secret },
      type: 'kubernetes.io/tls',
      data: first.data,
    });
    await installation.start('one');
    const [port = 0] = installation.ports();
    expect(await servedBy(port)).toBe(fingerprintOf({ ...first, bundle: [] }));

    const second = await issue();
    await client.replace(SECRETS, { ...made, data: second.data });
    await eventually(
      async () => (await servedBy(port)) === fingerprintOf({ ...second, bundle: [] }) || undefined,
      { what: 'the second certificate to be served', timeoutMs: 30_000 },
    );
    await installation.guards();
    expect((await client.get(SECRETS, { namespace, name: secret })).data).toEqual(second.data);
    // Our own Secret holds the key of stamps alone.
    const own = await client.get(SECRETS, { namespace, name: 'strongroom-admission-tls' });
    expect(Object.keys(own.data ?? {})).toEqual(['stamp.key']);
  });
});

describe('an uninstalled chart', () => {
  it('takes along what made the API server ask', async () => {
    await using installation = await startGuardedInstallation();
    const { client, namespace } = installation;
    await installation.stopAll();
    await uninstallChart(inject('kubeconfig'), namespace);
    for (const resource of [VALIDATING_WEBHOOKS, VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS]) {
      await eventually(
        async () => {
          const { items } = await client.list<KubeObject>(resource, { allNamespaces: true });
          return items.every(
            ({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] !== 'strongroom',
          );
        },
        { what: `${resource.plural} to go`, timeoutMs: 60_000 },
      );
    }
    // What is uninstalled at the end has to be there.
    await installChart(inject('kubeconfig'), namespace);
    expect(await client.find(CLUSTER_ROLES, { name: 'strongroom-operator' })).toBeDefined();
  });
});

/** Calls to the API server, but watches: those last. */
async function callsOf(operator: OperatorProcess): Promise<number> {
  const text = await operator.metrics();
  return [...text.matchAll(/^rest_client_requests_total\{([^}]*)\} (\d+)$/gm)]
    .filter(([, labels = '']) => !/watch/i.test(labels))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

async function inParallel(
  workers: number,
  turns: number,
  work: (turn: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (next < turns) {
        const turn = next;
        next += 1;
        await work(turn);
      }
    }),
  );
}

/** SHA-256 fingerprint of what is served at a port. */
async function servedBy(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

function fingerprintOf({ serving }: StoredPki): string {
  return new X509Certificate(serving?.cert ?? '').fingerprint256;
}
