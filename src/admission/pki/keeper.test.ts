import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '#audit/audit.ts';
import { KubeError } from '#kube/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import type { Logger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import type { FakeClock } from '#runtime/testing/fake-clock.ts';
import { createSecretServer } from '../testing/secret-server.ts';
import { issueAuthority, issueServing } from './issue.ts';
import { createCertificateKeeper } from './keeper.ts';
import type { CertificateKeeperOptions, ObservedBundle } from './keeper.ts';
import { ADMISSION_SECRET_NAME, isIssuedBy, readPki, writePki } from './stored-pki.ts';

const NAMESPACE = 'strongroom-system';
const NAMES = ['strongroom-webhook.strongroom-system.svc'];
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NAME = ADMISSION_SECRET_NAME;

function setUp(options: Partial<CertificateKeeperOptions> = {}) {
  const server = createSecretServer(NAMESPACE);
  const clock = createFakeClock(Date.parse('2026-11-26T12:00:00Z'));
  const records: AuditRecord[] = [];
  const lines: object[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note };
  const stops: (() => Promise<void>)[] = [];

  function replica(more: Partial<CertificateKeeperOptions> = {}) {
    const keeper = createCertificateKeeper({
      client: server.client,
      followClient: server.client,
      namespace: NAMESPACE,
      names: NAMES,
      bundleObserved: () => undefined,
      instance: 'replica-0',
      audit: async (record) => void records.push(record),
      clock,
      random: () => 0,
      log,
      ...options,
      ...more,
    });
    const changes = { count: 0 };
    keeper.onChange(() => {
      changes.count += 1;
    });
    const stopping = new AbortController();
    const runs = keeper.followers.map((one) => one.run(stopping.signal));
    function lead(): () => Promise<void> {
      const leading = new AbortController();
      const run = keeper.renewer.run(AbortSignal.any([leading.signal, stopping.signal]));
      return async () => {
        leading.abort();
        await run;
      };
    }
    stops.push(async () => {
      stopping.abort();
      await Promise.all(runs);
    });
    return { keeper, changes, lead };
  }

  return {
    server,
    clock,
    records,
    lines,
    replica,
    stored: () => readPki(server.get(NAME)?.data),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      expect(JSON.stringify([lines, records])).not.toContain('PRIVATE KEY');
    },
  };
}

/** Lets time pass until it is so: keys are made outside of the fake clock's sight. */
async function until(clock: FakeClock, isSo: () => boolean): Promise<void> {
  await expect
    .poll(
      async () => {
        await clock.advance(0);
        return isSo();
      },
      { timeout: 20_000 },
    )
    .toBe(true);
}

describe('certificates that the operator keeps', () => {
  test('on an empty cluster the leader makes them, and every replica serves them', async () => {
    await using scene = setUp();
    const { server, clock, records } = scene;
    const [leader, other] = [scene.replica(), scene.replica()];
    await clock.advance(0);
    expect([leader.keeper.current(), leader.keeper.caBundle(), other.keeper.stampKey()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    leader.lead();
    await until(clock, () => other.keeper.current() !== undefined);
    expect(other.keeper.current()).toEqual(leader.keeper.current());
    expect(other.keeper.stampKey()).toHaveLength(32);
    expect(other.keeper.stampKey()).toEqual(leader.keeper.stampKey());
    const leaf = new X509Certificate(other.keeper.current()?.cert ?? '');
    expect(isIssuedBy(leaf, new X509Certificate(other.keeper.caBundle() ?? ''))).toBe(true);
    expect(other.changes.count).toBe(1);
    expect(server.writes).toEqual([`create ${NAME}`]);
    expect(server.get(NAME)).toMatchObject({
      type: 'Opaque',
      metadata: { namespace: NAMESPACE, labels: { 'strongroom.dev/component': 'admission-tls' } },
    });
    expect(records.map(({ act, outcome, details }) => [act, outcome, details?.['step']])).toEqual([
      ['AdmissionCertificatesWritten', 'Intended', 'create'],
      ['AdmissionCertificatesWritten', 'Succeeded', 'create'],
    ]);
  });

  test('the followers are ready without any Secret: the leader comes after them', async () => {
    await using scene = setUp();
    const { keeper } = scene.replica();
    const { signal } = new AbortController();
    await Promise.all(keeper.followers.map(async (one) => one.ready?.(signal)));
    expect(keeper.current()).toBeUndefined();
  });

  test('no record, no certificate', async () => {
    await using scene = setUp({ audit: async () => Promise.reject(new Error('full')) });
    const { lead } = scene.replica();
    lead();
    await until(scene.clock, () => scene.lines.length > 0);
    expect(scene.server.writes).toEqual([]);
  });

  test('a second leader makes none anew, whatever its cache knows', async () => {
    await using scene = setUp();
    const first = scene.replica();
    const stop = first.lead();
    await until(scene.clock, () => first.keeper.current() !== undefined);
    await stop();
    scene.replica().lead();
    await scene.clock.advance(DAY);
    expect(scene.server.writes).toHaveLength(1);
  });

  test('a whole renewal of the authority waits for the configurations', async () => {
    let observed: ObservedBundle | undefined;
    await using scene = setUp({ bundleObserved: () => observed });
    const { server, clock, stored } = scene;
    // Signed lately by an authority that is due in a day.
    const begunMs = clock.now() - 243 * DAY;
    const authority = await issueAuthority(begunMs);
    const serving = await issueServing(authority, NAMES, clock.now());
    const stampKey = new Uint8Array(32).fill(7);
    server.put(NAME, writePki({ authority, serving, bundle: [authority.cert], stampKey }));
    const { keeper, lead } = scene.replica();
    lead();
    await clock.advance(0);
    expect(server.writes).toEqual([]);

    await clock.advance(DAY);
    await until(clock, () => stored().bundle.length === 2);
    expect(keeper.current()).toEqual(serving);
    expect(keeper.caBundle()).toContain(authority.cert.trim());
    await clock.advance(DAY);
    expect(keeper.current()).toEqual(serving);

    observed = { caBundle: 'another bundle', sinceMs: 0 };
    await clock.advance(DAY);
    expect(keeper.current()).toEqual(serving);

    observed = { caBundle: keeper.caBundle() ?? '', sinceMs: clock.now() };
    await clock.advance(11 * MINUTE);
    await until(clock, () => keeper.current()?.cert !== serving.cert);
    expect(keeper.caBundle()).toContain(authority.cert.trim());

    await clock.advance(2 * 60 * MINUTE);
    await until(clock, () => stored().bundle.length === 1);
    expect(keeper.caBundle()).not.toContain(authority.cert.trim());
    expect(keeper.stampKey()).toEqual(stampKey);
    expect(scene.records.filter(({ outcome }) => outcome === 'Succeeded')).toMatchObject(
      ['startCa', 'switchLeaf', 'dropOldCa'].map((step) => ({ details: { step } })),
    );
  });

  test('a Secret that is deleted comes back as it was, and is served on meanwhile', async () => {
    await using scene = setUp();
    const { keeper, changes, lead } = scene.replica();
    lead();
    await until(scene.clock, () => keeper.current() !== undefined);
    const before = scene.stored();
    scene.server.put(NAME, undefined);
    await until(scene.clock, () => scene.server.get(NAME) !== undefined);
    expect(scene.stored()).toEqual(before);
    expect(keeper.current()).toEqual(before.serving);
    expect(changes.count).toBe(1);
  });

  test('a Secret that is spoilt is mended, and what was served is served meanwhile', async () => {
    await using scene = setUp();
    const { server, clock, stored } = scene;
    const leader = scene.replica();
    const stop = leader.lead();
    await until(clock, () => leader.keeper.current() !== undefined);
    await stop();
    const before = stored();
    const data = server.get(NAME)?.data ?? {};
    server.put(NAME, { ...data, 'tls.crt': 'eA==', 'ca-bundle.crt': '', 'stamp.key': 'eA==' });
    await clock.advance(0);
    expect(leader.keeper.current()).toEqual(before.serving);
    expect(leader.keeper.stampKey()).toEqual(before.stampKey);
    expect(leader.keeper.caBundle()).toBe(before.bundle.join(''));
    leader.lead();
    await until(clock, () => stored().serving !== undefined);
    expect(stored()).toEqual(before);
    expect(scene.records.at(-1)?.details).toEqual({ step: 'restore' });
  });

  test('a write that fails is tried again', async () => {
    await using scene = setUp();
    scene.server.failWrites(new KubeError('ERR_KUBE_UNAVAILABLE', 'down'));
    const { keeper, lead } = scene.replica();
    lead();
    await until(scene.clock, () => scene.lines.length > 0);
    scene.server.failWrites(undefined);
    await scene.clock.advance(5_000);
    await until(scene.clock, () => keeper.current() !== undefined);
    expect(scene.server.writes).toEqual([`create ${NAME}`]);
  });

  test('what others write meanwhile is not overwritten', async () => {
    await using scene = setUp();
    const { server, clock } = scene;
    const authority = await issueAuthority(clock.now());
    const serving = await issueServing(authority, NAMES, clock.now());
    const theirs = writePki({
      authority,
      serving,
      bundle: [authority.cert],
      stampKey: new Uint8Array(32),
    });
    const { keeper, lead } = scene.replica({
      // The former leader's last write comes between the look and the write.
      async audit({ outcome }) {
        if (outcome === 'Intended') server.put(NAME, theirs);
      },
    });
    lead();
    await until(clock, () => keeper.current() !== undefined);
    await clock.advance(DAY);
    expect(server.get(NAME)?.data).toEqual(theirs);
    expect(server.writes).toEqual([]);
  });
});

describe('certificates of cert-manager', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  test('are read and never written; the stamp key is our own', async () => {
    await using scene = setUp({ external: 'webhook-cert' });
    const { server, clock } = scene;
    const authority = await issueAuthority(clock.now());
    const [one, two] = [
      await issueServing(authority, NAMES, clock.now()),
      await issueServing(authority, NAMES, clock.now()),
    ];
    const data = (pair: typeof one) => ({
      'tls.crt': base64(pair.cert),
      'tls.key': base64(pair.key),
      'ca.crt': base64(authority.cert),
    });
    const { keeper, lead } = scene.replica();
    lead();
    await until(clock, () => keeper.stampKey() !== undefined);
    expect(keeper.current()).toBeUndefined();
    server.put('webhook-cert', data(one));
    await until(clock, () => keeper.current() !== undefined);
    expect(keeper.current()).toEqual(one);
    expect(keeper.caBundle()).toBe(authority.cert);
    server.put('webhook-cert', data(two));
    await until(clock, () => keeper.current()?.cert === two.cert);
    server.put('webhook-cert', { ...data(one), 'tls.key': base64(two.key) });
    await clock.advance(DAY);
    expect(keeper.current()).toEqual(two);
    expect(server.writes).toEqual([`create ${NAME}`]);
    expect(Object.keys(server.get(NAME)?.data ?? {})).toEqual(['stamp.key']);
  });
});
