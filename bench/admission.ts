/**
 * The webhook: alone, over HTTPS as the API server asks it, and in the way of pods that are created.
 * Both against a peer of the same run: a bare server that reads and answers, and the same pods where
 * nothing is reviewed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createdPods } from './admission-pods.ts';
import { podReview } from './admission-scene.ts';
import { quantile, sample } from './benchmark.ts';
import type { Benchmark, Comparison } from './benchmark.ts';

const RATE = 200;
const SECONDS = 20;
const WARM_SECONDS = 5;
/** Each step asks for so much more; it ends when p99 is above the limit. */
const STEP = 1.3;
const STEP_SECONDS = 5;
const LIMIT_MS = 20;
const MAX_RATE = 10_000;

export const admission: Benchmark = {
  name: 'admission',
  run: async () => [await oneReview(), await webhookAlone(), await createdPods()],
};

/** What of it is ours, whatever else the machine does: from the bytes of a review to its answer. */
async function oneReview(): Promise<Comparison> {
  const { createBenchHandler } = await import('./admission-handler.ts');
  const { handle } = createBenchHandler();
  const { signal } = new AbortController();
  const bodies = Array.from({ length: 20_000 }, (_, one) => Buffer.from(podReview(one).body));
  const next = (): Buffer => bodies[(number += 1) % bodies.length] ?? Buffer.alloc(0);
  return {
    what: 'review of a pod, from bytes to bytes, with 1,000 policies and 10,000 credentials',
    ours: await sample(bodies.length, () => handle('/validate', next(), signal)),
    peers: {
      'JSON.parse and JSON.stringify of the review': await sample(bodies.length, async () =>
        JSON.stringify(JSON.parse(next().toString('utf8'))),
      ),
    },
  };
}

async function webhookAlone(): Promise<Comparison> {
  await using bare = await startServer('bare');
  await using ours = await startServer('ours');
  const rss = await ours.rss();
  const theirs: number[] = [];
  const samples: number[] = [];
  for (const server of [bare, ours]) await load(server, RATE, WARM_SECONDS, server === ours);
  // In turns, so that what else the machine does meets both.
  for (let round = 0; round < 4; round += 1) {
    theirs.push(...(await load(bare, RATE, SECONDS / 4, false)));
    samples.push(...(await load(ours, RATE, SECONDS / 4, true)));
  }
  const throughput = await greatestRate(ours, true);
  const bareThroughput = await greatestRate(bare, false);
  return {
    what: `webhook alone: review of a pod at ${RATE} a second, with 1,000 policies and 10,000 credentials`,
    ours: samples,
    peers: { 'bare HTTPS server that reads and allows': theirs },
    others: {
      [`greatest rate with p99 below ${LIMIT_MS} ms (reviews a second)`]: throughput,
      'the same of the bare server (reviews a second)': bareThroughput,
      'memory at first (RSS, MiB)': rss / 2 ** 20,
      'memory under load (RSS, MiB)': (await ours.rss()) / 2 ** 20,
      'processes that want to run, on average (load of the machine)': loadavg()[0] ?? 0,
    },
  };
}

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly ca: string;
  /** Bytes. */
  rss(): Promise<number>;
}

async function startServer(kind: 'ours' | 'bare'): Promise<Server> {
  const child = fork(path.join(import.meta.dirname, 'admission-server.ts'), [kind], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [{ port, ca }] = (await once(child, 'message')) as [{ port: number; ca: string }];
  return {
    port,
    ca,
    async rss() {
      child.send('rss');
      const [{ rss }] = (await once(child, 'message')) as [{ rss: number }];
      return rss;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

let number = 0;

/**
 * Asks at a steady rate, whether answers come or not, so that a slow one does not spare the next
 * ones. Milliseconds, one an answer; throws for an answer that is not the right one.
 */
async function load(
  { port, ca }: Server,
  rate: number,
  seconds: number,
  isJudged: boolean,
): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 128, ca });
  const samples: number[] = [];
  const open: Promise<void>[] = [];
  const faults: unknown[] = [];
  const ask = async (): Promise<void> => {
    number += 1;
    const { body, isAllowed } = podReview(number);
    const from = performance.now();
    const answer = await post(agent, port, body);
    samples.push(performance.now() - from);
    const { response } = JSON.parse(answer) as { readonly response: { readonly allowed: boolean } };
    if (response.allowed !== (isAllowed || !isJudged)) throw new Error(answer);
  };
  const started = performance.now();
  for (let sent = 0; sent < rate * seconds;) {
    const due = Math.min(rate * seconds, Math.ceil(((performance.now() - started) / 1000) * rate));
    for (; sent < due; sent += 1) {
      open.push(ask().catch((fault: unknown) => void faults.push(fault)));
    }
    await delay(1);
  }
  await Promise.all(open);
  agent.destroy();
  if (faults.length > 0) throw new Error(`${faults.length} wrong answers`, { cause: faults[0] });
  return samples;
}

function post(agent: Agent, port: number, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        path: '/validate?timeout=10s',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.once('error', reject);
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

async function greatestRate(server: Server, isJudged: boolean): Promise<number> {
  let greatest = 0;
  for (let rate = RATE; rate < MAX_RATE; rate = Math.ceil(rate * STEP)) {
    // One that is turned away is over the limit as well.
    const samples = await load(server, rate, STEP_SECONDS, isJudged).catch(() => [Infinity]);
    if (quantile(samples, 0.99) > LIMIT_MS) break;
    greatest = rate;
  }
  return greatest;
}
