/** What is measured, and how the figures are written down. */
import { availableParallelism, cpus, totalmem } from 'node:os';

/** One thing done by us and by peers, each sampled in the same process and the same run. */
export interface Comparison {
  /** What is done, such as "encrypt and decrypt 256 bytes". */
  readonly what: string;
  readonly ours: Samples;
  /** By the name and version of the peer. Empty where there is none. */
  readonly peers: Readonly<Record<string, Samples>>;
  /** Figures that are no duration of one operation, each with its unit in its name. */
  readonly others?: Readonly<Record<string, number>>;
}

/** Durations in milliseconds, one an operation. */
export type Samples = readonly number[];

export interface Benchmark {
  readonly name: string;
  run(): Promise<readonly Comparison[]>;
}

export interface Figures {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

export interface Report {
  readonly name: string;
  readonly machine: string;
  readonly node: string;
  readonly results: readonly {
    readonly what: string;
    readonly ours: Figures;
    readonly peers: Readonly<Record<string, Figures>>;
    /** Median of the peer over ours: above 1 we are faster. */
    readonly ratios: Readonly<Record<string, number>>;
    readonly others?: Readonly<Record<string, number>>;
  }[];
}

export function reportOf(name: string, comparisons: readonly Comparison[]): Report {
  return {
    name,
    machine: `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} threads, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    results: comparisons.map(({ what, ours, peers, others }) => {
      const figures = figuresOf(ours);
      const theirs = mapValues(peers, figuresOf);
      return {
        what,
        ours: figures,
        peers: theirs,
        ratios: mapValues(theirs, ({ medianMs }) => round(medianMs / figures.medianMs)),
        ...(others !== undefined && { others: mapValues(others, round) }),
      };
    }),
  };
}

function figuresOf(samples: Samples): Figures {
  return {
    medianMs: round(quantile(samples, 0.5)),
    p95Ms: round(quantile(samples, 0.95)),
    p99Ms: round(quantile(samples, 0.99)),
    samples: samples.length,
  };
}

/** The nearest-rank quantile. @throws RangeError without samples */
export function quantile(samples: Samples, q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}

/** Three significant digits: what is beyond them is noise. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}

function mapValues<A, B>(of: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, map(value)]));
}

/**
 * Samples `operation`, after a tenth of the rounds unmeasured: the first ones are compiled, and
 * open connections.
 */
export async function sample(rounds: number, operation: () => Promise<unknown>): Promise<Samples> {
  for (let warm = 0; warm < rounds / 10; warm += 1) await operation();
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    await operation();
    samples.push(performance.now() - started);
  }
  return samples;
}
