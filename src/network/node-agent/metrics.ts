import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

export interface NodeAgentMetrics {
  /** How long what the operator wants has not been what the kernel does; 0 while it is. */
  behind(seconds: number): void;
  ranges(count: number): void;
  /** Totals of the table that stands; a table made anew begins at 0. */
  refused(totals: { readonly fromBanned: number; readonly toBanned: number }): void;
  applied(how: 'delta' | 'reload', seconds: number): void;
  failed(): void;
  repaired(): void;
  problems(count: number): void;
}

export function createNodeAgentMetrics(registry: Registry): NodeAgentMetrics {
  const registers = [registry];
  const behind = new Gauge({
    name: 'strongroom_node_agent_behind_seconds',
    help: 'How long the node has not had the newest blocks; 0 while it has them',
    registers,
  });
  const ranges = new Gauge({
    name: 'strongroom_node_agent_ranges',
    help: 'Ranges of addresses that are banned on the node',
    registers,
  });
  const refused = new Gauge({
    name: 'strongroom_node_agent_refused_packets',
    help: 'Packets refused, by the end that is banned; begins anew when the table is made anew',
    labelNames: ['banned'] as const,
    registers,
  });
  const applied = new Histogram({
    name: 'strongroom_node_agent_apply_duration_seconds',
    help: 'Seconds that a change of the table took, by how: delta or reload',
    labelNames: ['how'] as const,
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const failed = new Counter({
    name: 'strongroom_node_agent_apply_failures_total',
    help: 'Changes of the table that the kernel or nft refused',
    registers,
  });
  const repaired = new Counter({
    name: 'strongroom_node_agent_repairs_total',
    help: 'Times that somebody else had changed the table and it was put back',
    registers,
  });
  const problems = new Gauge({
    name: 'strongroom_node_agent_problems',
    help: 'Problems that the node reports',
    registers,
  });
  return {
    behind: (seconds) => behind.set(seconds),
    ranges: (count) => ranges.set(count),
    refused({ fromBanned, toBanned }) {
      refused.set({ banned: 'source' }, fromBanned);
      refused.set({ banned: 'destination' }, toBanned);
    },
    applied: (how, seconds) => applied.observe({ how }, seconds),
    failed: () => failed.inc(),
    repaired: () => repaired.inc(),
    problems: (count) => problems.set(count),
  };
}
