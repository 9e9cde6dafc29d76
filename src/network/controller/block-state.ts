/** What an IPBlock means at a time: which addresses, for how long, and what was left out. */
import type { IPBlock } from '#api/ip-block.ts';
import type { ActiveBlock } from '../active-block.ts';
import { expiryOf } from '../blocks/expiry.ts';
import { protectionFor } from '../blocks/protect.ts';
import { wideBans } from '../blocks/wide-bans.ts';
import { EMPTY_SET, addressSet, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { parseCidr } from '../cidr/parse-cidr.ts';
import { PRIVATE_RANGES } from '../cidr/special-ranges.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import { addressesOf, nextExpiryOf } from '../feeds/copy.ts';
import type { FeedCopy } from '../feeds/feed.ts';

export type BlockPhase =
  | 'Active'
  | 'Observed'
  | 'Expired'
  | 'WideBan'
  /** Nothing is listed, or nothing is left of it. */
  | 'Empty'
  /** Nothing of its feed was ever read. */
  | 'FeedPending'
  /** What must be protected is not known yet. */
  | 'FactsMissing';

export interface BlockState {
  readonly phase: BlockPhase;
  /** As written, before anything was taken out. */
  readonly listed: AddressSet;
  /** What was left out, by what it is protected as. */
  readonly leftOut: readonly { readonly name: string; readonly cidrs: readonly string[] }[];
  /** CIDRs that need `acknowledgeWideBan`. */
  readonly wide: readonly string[];
  /** What is, or with mode Observe would be, in force. */
  readonly block: ActiveBlock;
  /** Whether its scope names the gateway, and does not just include it. */
  readonly namesGateway: boolean;
  /** When time alone changes it next, in milliseconds since 1970. */
  readonly nextChangeMs?: number;
}

export interface BlockInput {
  readonly block: IPBlock;
  /** The last good copy of its feed. */
  readonly feed?: FeedCopy | undefined;
  readonly facts: ClusterFacts;
  /** Addresses of the exchanges that are traded on. */
  readonly exchanges: AddressSet;
  readonly operatorClients: AddressSet;
  /** Whether all is known that must be protected. */
  readonly isProtectionKnown: boolean;
}

export function blockState(input: BlockInput, nowMs: number): BlockState {
  const { block, feed, facts } = input;
  const { spec, metadata } = block;
  const isFeed = spec.feed !== undefined;
  const { listed, explicit: named } = isFeed
    ? { listed: feed === undefined ? EMPTY_SET : addressesOf(feed, nowMs), explicit: EMPTY_SET }
    : listedIn(spec.cidrs ?? []);
  // Pods have private addresses: as long as nobody knows which, each of them can be one.
  const explicit = facts.podRanges.isEmpty ? EMPTY_SET : named;
  const { ranges, parts } = protectionFor({ ...input, explicit });
  const kept = listed.minus(ranges);
  const wide = spec.acknowledgeWideBan === true ? [] : wideBans(kept);
  const expiresAtMs = expiryOf(block);
  const direction = spec.direction ?? 'Both';
  const nextChangeMs = earliest([expiresAtMs, feed && nextExpiryOf(feed, nowMs)], nowMs);

  const phase = (): BlockPhase => {
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return 'Expired';
    if (isFeed && feed === undefined) return 'FeedPending';
    if (!input.isProtectionKnown) return 'FactsMissing';
    if (kept.isEmpty) return 'Empty';
    if (wide.length > 0) return 'WideBan';
    return spec.mode === 'Observe' ? 'Observed' : 'Active';
  };
  return {
    phase: phase(),
    listed,
    leftOut: parts.flatMap(({ name, set }) => {
      const cidrs = listed.intersection(set).cidrs();
      return cidrs.length === 0 ? [] : [{ name, cidrs }];
    }),
    wide,
    namesGateway: spec.scope?.gateway === true,
    block: {
      name: metadata.name,
      addresses: unionOf(facts.families.map((family) => kept.ofFamily(family))),
      ingress: direction !== 'Egress',
      egress: direction !== 'Ingress',
      namespaces: namespacesOf(spec),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    },
    ...(nextChangeMs === undefined ? {} : { nextChangeMs }),
  };
}

/** Without a scope all of them; with one the named ones, and none where only the gateway is. */
function namespacesOf({ scope }: IPBlock['spec']): ActiveBlock['namespaces'] {
  if (scope === undefined) return '*';
  const { namespaces = [] } = scope;
  return namespaces.includes('*') ? '*' : namespaces;
}

interface Listed {
  readonly listed: AddressSet;
  /** Who writes 10.1.2.3 means it; who writes 0.0.0.0/0, or takes a list of others, does not. */
  readonly explicit: AddressSet;
}

/** A list can be long, and is looked at whenever anything else changes. */
const read = new WeakMap<readonly string[], Listed>();

function listedIn(cidrs: readonly string[]): Listed {
  const present = read.get(cidrs);
  if (present !== undefined) return present;
  // An entry that the API server took and we do not is left out rather than all of them with it.
  const usable = cidrs.flatMap((text) => {
    const parsed = parseCidr(text);
    return parsed.ok ? parsed.cidr : [];
  });
  const made = {
    listed: addressSet(usable),
    explicit: addressSet(usable.filter(isPrivate)),
  };
  read.set(cidrs, made);
  return made;
}

function isPrivate(cidr: string): boolean {
  // Of a long list almost none is, and that is found out fast.
  const [first = ''] = cidr.split('/');
  return PRIVATE_RANGES.contains(first) && PRIVATE_RANGES.covers(addressSet([cidr]));
}

function earliest(times: readonly (number | undefined)[], afterMs: number): number | undefined {
  const coming = times.flatMap((time) => (time !== undefined && time > afterMs ? time : []));
  return coming.length === 0 ? undefined : Math.min(...coming);
}
