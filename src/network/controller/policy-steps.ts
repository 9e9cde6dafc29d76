/** Which writes lead from the NetworkPolicies that stand to those that should, and in which order. */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicy } from '#kube/objects.ts';

export type PolicyStep =
  | { readonly act: 'Create'; readonly wanted: NetworkPolicy }
  | { readonly act: 'Replace'; readonly wanted: NetworkPolicy; readonly found: NetworkPolicy }
  | { readonly act: 'Delete'; readonly found: NetworkPolicy };

const OPENING = 'opening';

/**
 * NetworkPolicies add up, so what is new is written before what is old goes: between two writes
 * nobody loses what both the old state and the new one allow. One thing would still break: of several
 * policies that open everything but the blocked addresses, the first to come isolates its pods with
 * only a part of the addresses open, and the last to go leaves them so. While such a set comes or goes
 * one that opens everything stands beside it; it selects the same pods, which nothing else isolates.
 */
export function policySteps(
  wanted: readonly NetworkPolicy[],
  found: readonly NetworkPolicy[],
): readonly PolicyStep[] {
  const standing = new Map(found.map((policy) => [policy.metadata.name, policy]));
  const openings = [...setsThatAppear(wanted, found), ...setsThatAppear(found, wanted)].map(
    openingOf,
  );
  const kept = new Set([...openings, ...wanted].map(({ metadata }) => metadata.name));
  const creates: PolicyStep[] = [];
  const replaces: PolicyStep[] = [];
  const deletes: PolicyStep[] = [];
  for (const policy of [...openings, ...wanted]) {
    const present = standing.get(policy.metadata.name);
    if (present === undefined) creates.push({ act: 'Create', wanted: policy });
    else if (!isSame(policy, present)) {
      replaces.push({ act: 'Replace', wanted: policy, found: present });
    }
  }
  for (const policy of found) {
    if (!kept.has(policy.metadata.name)) deletes.push({ act: 'Delete', found: policy });
  }
  for (const opening of openings) {
    deletes.push({ act: 'Delete', found: standing.get(opening.metadata.name) ?? opening });
  }
  return [...creates, ...replaces, ...deletes];
}

/** Of each set of several in `one` of which none is in `other`, the one that opens all pods. */
function setsThatAppear(
  one: readonly NetworkPolicy[],
  other: readonly NetworkPolicy[],
): readonly NetworkPolicy[] {
  const present = new Set(other.map(podsOf));
  return [...Map.groupBy(one, podsOf)].flatMap(([pods, policies]) => {
    const opens = policies.find(opensToAllPods);
    return opens === undefined || policies.length < 2 || present.has(pods) ? [] : [opens];
  });
}

/** Which pods a policy isolates, and in which direction. */
function podsOf({ spec }: NetworkPolicy): string {
  return JSON.stringify([spec?.podSelector, spec?.policyTypes]);
}

/** Whether a policy says what it should; labels and annotations of others may stand beside ours. */
export function isSame(wanted: NetworkPolicy, found: NetworkPolicy): boolean {
  return (
    isDeepStrictEqual(wanted.spec, found.spec) &&
    contains(found.metadata.labels, wanted.metadata.labels) &&
    contains(found.metadata.annotations, wanted.metadata.annotations)
  );
}

function contains(
  all: Readonly<Record<string, string>> = {},
  some: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(some).every(([name, value]) => all[name] === value);
}

/** A peer that is all pods of all namespaces stands only in policies that open all but a block. */
function opensToAllPods({ spec }: NetworkPolicy): boolean {
  const rules = [
    ...(spec?.ingress ?? []).map(({ from }) => from),
    ...(spec?.egress ?? []).map(({ to }) => to),
  ];
  return rules.some((peers) =>
    peers?.some(
      ({ namespaceSelector, podSelector }) =>
        namespaceSelector !== undefined &&
        Object.keys(namespaceSelector).length === 0 &&
        podSelector === undefined,
    ),
  );
}

function openingOf({ apiVersion, kind, metadata, spec }: NetworkPolicy): NetworkPolicy {
  const { namespace, labels } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name: `${metadata.name.slice(0, 253 - OPENING.length - 1)}-${OPENING}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
    },
    spec: {
      ...(spec?.podSelector === undefined ? {} : { podSelector: spec.podSelector }),
      ...(spec?.policyTypes === undefined ? {} : { policyTypes: spec.policyTypes }),
      ...(spec?.policyTypes?.includes('Ingress') === true && { ingress: [{}] }),
      ...(spec?.policyTypes?.includes('Egress') === true && { egress: [{}] }),
    },
  };
}
