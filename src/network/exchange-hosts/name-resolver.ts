/**
 * Addresses of host names, kept up to date. Pools behind a name rotate: each answer shows a part of
 * it. So an address stays for a grace time after it was last seen, and a set changes rarely.
 */
import type { Clock } from '#runtime/clock.ts';
import { withTimeLimit } from '#runtime/time-limit.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { addressSet, EMPTY_SET } from '../cidr/address-set.ts';
import { isPublicAddress } from '../cidr/public-address.ts';
import type { Family } from '../cluster-facts.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly ttlSeconds: number;
}

/** Addresses of one family; empty where the name has none. Rejects where that cannot be told. */
export type Resolve = (
  name: string,
  family: Family,
  signal: AbortSignal,
) => Promise<readonly ResolvedAddress[]>;

export interface HostAddresses {
  readonly addresses: AddressSet;
  /**
   * Fresh: the last look-up gave addresses. Stale: it did not, and these are of an earlier one.
   * Unresolved: there are none (yet, or any more).
   */
  readonly state: 'Fresh' | 'Stale' | 'Unresolved';
  /** What was wrong with the last look-up, such as an answer inside the cluster. */
  readonly problem?: string;
}

/** By host, the addresses that were seen and when, in milliseconds since 1970. */
export type SeenNames = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface NameResolver {
  /** Wanted hosts that were not looked up yet. */
  pending(): readonly string[];
  /** What is known of the wanted hosts, to be given to `restore` of another process. */
  seen(): SeenNames;
  /** Takes what was seen before for what it is worth now; to be called before `want`, or after. */
  restore(seen: SeenNames): void;
  /** What is known of a host; of one that nobody wants, nothing. */
  addressesOf(host: string): HostAddresses;
  /** From now on these hosts are looked up, and no others. */
  want(hosts: Iterable<string>): void;
  /** Looks up until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Called when the set of a wanted host changes, or its state. Returns how to stop that. */
  onChange(handler: (host: string, what: 'Addresses' | 'State') => void): () => void;
}

export interface NameResolverDeps {
  readonly resolve: Resolve;
  readonly clock: Clock;
  /** How long an address stays after it was last seen; an hour unless told. */
  readonly graceMs?: number;
  /** Those that pods have; both unless told. */
  readonly families?: () => readonly Family[];
  /** Never opened through a name, besides what is private anyway: the cluster's own ranges. */
  readonly refused?: () => AddressSet;
}

const GRACE_MS = 3_600_000;
/** Between these two lies the time from one look-up to the next, whatever the TTL. */
const SOONEST_MS = 30_000;
const LATEST_MS = 300_000;
const LOOK_UP_MS = 10_000;
/** More addresses behind one name than any exchange has: someone plays with DNS. */
const MOST_ADDRESSES = 1000;
const NOTHING: HostAddresses = { addresses: EMPTY_SET, state: 'Unresolved' };

interface Entry {
  known: HostAddresses;
  wasAsked: boolean;
  /** When each address was last seen, by the monotonic clock. */
  readonly seen: Map<string, number>;
  readonly stop: AbortController;
}

interface Found {
  readonly addresses: readonly ResolvedAddress[];
  readonly problem?: string;
}

export function createNameResolver(deps: NameResolverDeps): NameResolver {
  const { clock, graceMs = GRACE_MS, families = () => ['IPv4', 'IPv6'] as const } = deps;
  const refused = deps.refused ?? (() => EMPTY_SET);
  const entries = new Map<string, Entry>();
  const handlers = new Set<(host: string, what: 'Addresses' | 'State') => void>();
  let remembered: SeenNames = {};
  let running: { readonly signal: AbortSignal; readonly tasks: Set<Promise<void>> } | undefined;

  function start(host: string, entry: Entry): void {
    if (running === undefined) return;
    const { signal, tasks } = running;
    const task = keep(host, entry, AbortSignal.any([signal, entry.stop.signal])).finally(() =>
      tasks.delete(task),
    );
    tasks.add(task);
  }

  async function keep(host: string, entry: Entry, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await refresh(host, entry, signal);
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }

  /** @returns how long to wait before the next look-up */
  async function refresh(host: string, entry: Entry, signal: AbortSignal): Promise<number> {
    const found = await Promise.all(families().map((family) => lookUp(host, family, signal)));
    if (signal.aborted) return 0;
    const nowMs = clock.monotonicMs();
    const answers = found.flatMap(({ addresses }) => addresses);
    // A hostile DNS must not open the inside: neither what is private nor what is the cluster's.
    const inside = refused();
    const good = answers.filter(
      ({ address }) => isPublicAddress(address) && !inside.contains(address),
    );
    for (const { address } of good.slice(0, MOST_ADDRESSES)) {
      // To the end of the map, which is in order of when they were last seen.
      entry.seen.delete(address);
      entry.seen.set(address, nowMs);
    }
    for (const [address, seenMs] of entry.seen) {
      if (nowMs - seenMs < graceMs && entry.seen.size <= MOST_ADDRESSES) break;
      entry.seen.delete(address);
    }
    const problem = problemOf(host, answers, good, found);
    const isFirst = !entry.wasAsked;
    entry.wasAsked = true;
    const isTold = update(host, entry, {
      addresses: addressSet(entry.seen.keys()),
      state: good.length > 0 ? 'Fresh' : entry.seen.size > 0 ? 'Stale' : 'Unresolved',
      ...(problem === undefined ? {} : { problem }),
    });
    // Somebody may wait for it, also when nothing came of it.
    if (isFirst && !isTold) tell(host, 'State');
    if (good.length === 0) return SOONEST_MS;
    const ttlMs = Math.min(...good.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
    return Math.min(Math.max(ttlMs, SOONEST_MS), LATEST_MS);
  }

  async function lookUp(host: string, family: Family, signal: AbortSignal): Promise<Found> {
    try {
      return {
        addresses: await withTimeLimit(clock, LOOK_UP_MS, signal, (limit) =>
          deps.resolve(host, family, limit),
        ),
      };
    } catch (error) {
      return { addresses: [], problem: `${family}: ${reasonOf(error)}` };
    }
  }

  /** Whether it was told. */
  function update(host: string, entry: Entry, next: HostAddresses): boolean {
    const before = entry.known;
    const isSameSet = before.addresses.equals(next.addresses);
    // The same object for the same set: who compares by identity has nothing to do.
    entry.known = isSameSet ? { ...next, addresses: before.addresses } : next;
    if (isSameSet && before.state === next.state) return false;
    tell(host, isSameSet ? 'State' : 'Addresses');
    return true;
  }

  function tell(host: string, what: 'Addresses' | 'State'): void {
    for (const handler of handlers) handler(host, what);
  }

  /** The oldest first, as in every entry; never opened: what is inside the cluster by now. */
  function recall(host: string, entry: Entry): void {
    if (entry.wasAsked) return;
    const inside = refused();
    const nowMs = clock.monotonicMs();
    const usable = Object.entries(remembered[host] ?? {})
      .map(([address, atMs]) => [address, Math.max(0, clock.now() - atMs)] as const)
      .filter(
        ([address, ageMs]) =>
          ageMs < graceMs && isPublicAddress(address) && !inside.contains(address),
      )
      .sort(([, one], [, other]) => other - one);
    for (const [address, ageMs] of usable) entry.seen.set(address, nowMs - ageMs);
    if (usable.length === 0) return;
    update(host, entry, { addresses: addressSet(entry.seen.keys()), state: 'Stale' });
  }

  return {
    addressesOf: (host) => entries.get(host)?.known ?? NOTHING,

    pending: () => [...entries].flatMap(([host, { wasAsked }]) => (wasAsked ? [] : host)),

    seen() {
      const atMs = clock.now() - clock.monotonicMs();
      return Object.fromEntries(
        [...entries]
          .filter(([, entry]) => entry.seen.size > 0)
          .sort(([one], [other]) => (one < other ? -1 : 1))
          .map(([host, entry]) => [
            host,
            Object.fromEntries(
              [...entry.seen].map(([address, ms]) => [address, Math.round(atMs + ms)]),
            ),
          ]),
      );
    },

    restore(seen) {
      remembered = seen;
      for (const [host, entry] of entries) recall(host, entry);
    },

    want(hosts) {
      const wanted = new Set(hosts);
      for (const [host, entry] of entries) {
        if (wanted.has(host)) continue;
        entries.delete(host);
        entry.stop.abort();
      }
      for (const host of wanted) {
        if (entries.has(host)) continue;
        const entry: Entry = {
          known: NOTHING,
          wasAsked: false,
          seen: new Map(),
          stop: new AbortController(),
        };
        entries.set(host, entry);
        recall(host, entry);
        start(host, entry);
      }
    },

    async run(signal) {
      if (signal.aborted) return;
      const run = { signal, tasks: new Set<Promise<void>>() };
      running = run;
      for (const [host, entry] of entries) start(host, entry);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      running = undefined;
      await Promise.all(run.tasks);
    },

    onChange(handler) {
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
  };
}

function problemOf(
  host: string,
  answers: readonly ResolvedAddress[],
  good: readonly ResolvedAddress[],
  found: readonly Found[],
): string | undefined {
  if (good.length < answers.length) {
    const inside = answers.find((answer) => !good.includes(answer))?.address ?? '';
    return `DNS answers ${inside.slice(0, 64)} for ${host}, which is private or inside the cluster; it stays closed`;
  }
  if (good.length > 0) return undefined;
  const failures = found.flatMap(({ problem }) => problem ?? []);
  return failures.length === 0
    ? `DNS knows no address of ${host}`
    : `${host} could not be looked up (${failures.join('; ')})`;
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return `no answer within ${LOOK_UP_MS / 1000} s`;
  }
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'no reason given';
}
