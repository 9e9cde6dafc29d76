/** What a node agent tells the operator: one ConfigMap a node. */
import { createHash } from 'node:crypto';
import type { NetworkGapType } from '#api/names.ts';
import { LABELS } from '#api/names.ts';
import type { ConfigMap, OwnerReference } from '#kube/objects.ts';

export const NODE_REPORT_COMPONENT = 'node-report';
export const NODE_REPORT_PREFIX = 'strongroom-node-agent-';
const MAX_NAME = 253;
/** The busiest first. */
export const MAX_HITS = 50;

export interface NodeReport {
  readonly node: string;
  /** Of the bans that hold on the node; absent: none that the agent knows of. */
  readonly revision?: string;
  /** Milliseconds since 1970, by the node's clock. */
  readonly atMs: number;
  /** Ranges of addresses that are banned there now. */
  readonly ranges: number;
  /** Packets refused since the agent began, by the end that began the packet. */
  readonly refused: { readonly fromBanned: number; readonly toBanned: number };
  /** Banned addresses that were refused lately, and how many packets. */
  readonly hits: readonly { readonly address: string; readonly packets: number }[];
  readonly problems: readonly NodeProblem[];
}

export interface NodeProblem {
  readonly type:
    | 'Incomplete'
    | 'ApplyFailed'
    | Extract<NetworkGapType, 'DataPathBypassesNetfilter'>;
  /** For people: what was found, and what to do about it. */
  readonly message: string;
}

/** Names of nodes can be as long as those of ConfigMaps; the end of a long one becomes a digest. */
export function nodeReportName(node: string): string {
  const name = `${NODE_REPORT_PREFIX}${node}`;
  if (name.length <= MAX_NAME) return name;
  const digest = createHash('sha256').update(node).digest('hex').slice(0, 16);
  return `${name.slice(0, MAX_NAME - 17).replace(/[-.]+$/, '')}-${digest}`;
}

/** The ConfigMap of a report, for server-side apply; it goes when its owner does. */
export function nodeReportConfigMap(
  report: NodeReport,
  namespace: string,
  owner?: OwnerReference,
): ConfigMap {
  const { node, revision, atMs, ...rest } = report;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: nodeReportName(node),
      namespace,
      labels: { [LABELS.component]: NODE_REPORT_COMPONENT, [LABELS.managedBy]: 'strongroom' },
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    data: {
      node,
      ...(revision === undefined ? {} : { revision }),
      at: new Date(atMs).toISOString(),
      report: JSON.stringify(rest),
    },
  };
}

/** The reports among ConfigMaps; what is no report, or one that cannot be read, is left out. */
export function readNodeReports(configMaps: readonly ConfigMap[]): readonly NodeReport[] {
  return configMaps.flatMap((configMap) => readNodeReport(configMap) ?? []);
}

function readNodeReport({ metadata, data = {} }: ConfigMap): NodeReport | undefined {
  const { node, revision, at, report } = data;
  if (metadata.labels?.[LABELS.component] !== NODE_REPORT_COMPONENT) return undefined;
  // A report speaks for the node that it is named after, and no other.
  if (node === undefined || metadata.name !== nodeReportName(node)) return undefined;
  const atMs = Date.parse(at ?? '');
  if (!Number.isFinite(atMs)) return undefined;
  const rest = parseJson(report ?? '');
  return {
    node,
    ...(revision === undefined || revision === '' ? {} : { revision }),
    atMs,
    ranges: numberIn(rest, 'ranges'),
    refused: {
      fromBanned: numberIn(rest['refused'], 'fromBanned'),
      toBanned: numberIn(rest['refused'], 'toBanned'),
    },
    hits: listIn(rest, 'hits').flatMap((hit) =>
      isRecord(hit) && typeof hit['address'] === 'string'
        ? [{ address: hit['address'], packets: numberIn(hit, 'packets') }]
        : [],
    ),
    problems: listIn(rest, 'problems').flatMap((problem) => {
      if (!isRecord(problem)) return [];
      const { type, message } = problem;
      return isProblemType(type) && typeof message === 'string' ? [{ type, message }] : [];
    }),
  };
}

const PROBLEM_TYPES: readonly unknown[] = [
  'Incomplete',
  'ApplyFailed',
  'DataPathBypassesNetfilter',
];

function isProblemType(type: unknown): type is NodeProblem['type'] {
  return PROBLEM_TYPES.includes(type);
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function numberIn(value: unknown, key: string): number {
  const found = isRecord(value) ? value[key] : undefined;
  return typeof found === 'number' && Number.isFinite(found) ? found : 0;
}

function listIn(value: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const found = value[key];
  return Array.isArray(found) ? found : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
