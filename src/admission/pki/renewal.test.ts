import { expect, test } from 'vitest';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createSecretServer } from '../testing/secret-server.ts';
import { startTestServer } from '../testing/server.ts';
import { issueAuthority, issueServing } from './issue.ts';
import { createCertificateKeeper } from './keeper.ts';
import type { ObservedBundle } from './keeper.ts';
import { ADMISSION_SECRET_NAME, writePki } from './stored-pki.ts';

const NAMESPACE = 'strongroom-system';
const NAMES = ['127.0.0.1'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('a whole renewal under load: no request fails, on either replica, by whatever bundle was told last', async () => {
  // TLS looks at the real time: what is made in the hours of the test has to be good now.
  const clock = createFakeClock(Date.now() - 3 * HOUR);
  const secrets = createSecretServer(NAMESPACE);
  // Due in a quarter of an hour: two thirds of a year over.
  const begunMs = clock.now() - (365 * DAY * 2) / 3 + 15 * MINUTE;
  const old = await issueAuthority(begunMs);
  const serving = await issueServing(old, NAMES, clock.now());
  const stampKey = new Uint8Array(32).fill(7);
  secrets.put(
    ADMISSION_SECRET_NAME,
    writePki({ authority: old, serving, bundle: [old.cert], stampKey }),
  );

  let observed: ObservedBundle | undefined;
  const keepers = [0, 1].map((replica) =>
    createCertificateKeeper({
      client: secrets.client,
      followClient: secrets.client,
      namespace: NAMESPACE,
      names: NAMES,
      bundleObserved: () => observed,
      instance: `replica-${replica}`,
      audit: async () => undefined,
      clock,
      random: () => 0,
      log: silentLogger,
    }),
  );
  const stopping = new AbortController();
  const { signal } = stopping;
  const [leader] = keepers;
  const runs = keepers.flatMap(({ followers }) => followers.map((one) => one.run(signal)));
  await clock.advance(0);
  const servers = await Promise.all(
    keepers.map((keeper) => startTestServer('', undefined, { certificates: keeper })),
  );
  runs.push(leader?.renewer.run(signal) ?? Promise.resolve());

  /** What the configurations say: it comes later than what the Secret holds. */
  let trusted = leader?.caBundle() ?? '';
  const done = new AbortController();
  const failures: unknown[] = [];
  const certificates = new Set<number>();
  let requests = 0;
  async function load(server: (typeof servers)[number], agent: false | undefined): Promise<void> {
    while (!done.signal.aborted) {
      try {
        const sent = server.send({ ca: trusted, ...(agent === undefined ? {} : { agent }) });
        const { status } = await sent;
        requests += 1;
        if (status !== 200) failures.push(status);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  const clients = servers.flatMap((server) => [load(server, undefined), load(server, false)]);

  async function requestsPass(count: number): Promise<void> {
    const before = requests;
    await expect.poll(() => requests - before, { timeout: 20_000 }).toBeGreaterThan(count);
  }

  const isNew = (): boolean => keepers.every((keeper) => keeper.current()?.cert !== serving.cert);
  const has = (cert: string): boolean =>
    keepers.every((keeper) => keeper.caBundle()?.includes(cert.trim()) === true);
  for (let minute = 0; minute < 160; minute += 10) {
    await clock.advance(10 * MINUTE);
    await requestsPass(4);
    certificates.add(secrets.writes.length);
    const told = leader?.caBundle() ?? '';
    // The configurations are brought up to date up to twenty minutes late.
    if (told !== trusted && minute % 20 === 0) {
      trusted = told;
      observed = { caBundle: told, sinceMs: clock.now() };
    }
  }
  expect([isNew(), has(old.cert)]).toEqual([true, false]);
  await requestsPass(10);
  done.abort();
  await Promise.all(clients);
  expect(failures).toEqual([]);
  // A new authority, a certificate by it, and the old authority dropped; each met by requests.
  expect([...certificates]).toEqual([0, 1, 2, 3]);
  expect(trusted).not.toContain(old.cert.trim());
  for (const server of servers) await server[Symbol.asyncDispose]();
  stopping.abort();
  await Promise.all(runs);
});
