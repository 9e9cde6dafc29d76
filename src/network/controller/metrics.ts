import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { IPBlockStatus } from '#api/ip-block.ts';

type Enforcement = NonNullable<IPBlockStatus['enforcement']>;

export interface NetworkMetrics {
  block(name: string, enforcement: Enforcement): void;
  feed(name: string, ageSeconds: number | undefined, entries: number): void;
  feedFailed(name: string): void;
  forgetBlock(name: string): void;
  policies(namespace: string, count: number | undefined): void;
  restored(count: number): void;
}

const STATES: readonly Enforcement[] = [
  'Enforced',
  'PartiallyEnforced',
  'Ineffective',
  'Observed',
  'Expired',
  'Pending',
];

export function createNetworkMetrics(registry: Registry): NetworkMetrics {
  const registers = [registry];
  const blocks = new Gauge({
    name: 'strongroom_network_block',
    help: '1 for how an IPBlock is enforced, 0 for the other ways',
    labelNames: ['block', 'enforcement'] as const,
    registers,
  });
  const feedAge = new Gauge({
    name: 'strongroom_network_feed_age_seconds',
    help: 'Time since the copy in force of a feed was last fetched or confirmed, at the last look',
    labelNames: ['block'] as const,
    registers,
  });
  const feedEntries = new Gauge({
    name: 'strongroom_network_feed_entries',
    help: 'Entries of the copy in force of a feed',
    labelNames: ['block'] as const,
    registers,
  });
  const feedFailures = new Counter({
    name: 'strongroom_network_feed_failures_total',
    help: 'Attempts to fetch a feed that failed or gave no usable list',
    labelNames: ['block'] as const,
    registers,
  });
  const policies = new Gauge({
    name: 'strongroom_network_policies',
    help: 'NetworkPolicies of the operator in a namespace',
    labelNames: ['namespace'] as const,
    registers,
  });
  const restored = new Counter({
    name: 'strongroom_network_restored_total',
    help: 'NetworkPolicies of the operator that others changed or deleted and that were put back',
    registers,
  });
  return {
    block(name, enforcement) {
      for (const state of STATES) {
        blocks.set({ block: name, enforcement: state }, state === enforcement ? 1 : 0);
      }
    },
    feed(name, ageSeconds, entries) {
      if (ageSeconds !== undefined) feedAge.set({ block: name }, ageSeconds);
      feedEntries.set({ block: name }, entries);
    },
    feedFailed: (name) => feedFailures.inc({ block: name }),
    forgetBlock(name) {
      for (const enforcement of STATES) blocks.remove({ block: name, enforcement });
      feedAge.remove({ block: name });
      feedEntries.remove({ block: name });
      feedFailures.remove({ block: name });
    },
    policies(namespace, count) {
      if (count === undefined) policies.remove({ namespace });
      else policies.set({ namespace }, count);
    },
    restored: (count) => restored.inc(count),
  };
}
