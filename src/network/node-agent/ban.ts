import type { Interval } from '../cidr/interval.ts';

/** Addresses that must not talk, until a time. */
export interface Ban extends Interval {
  /** Milliseconds since 1970; absent: until it is taken away. */
  readonly expiresAtMs?: number;
}

/**
 * What a ban is about. `both`: no packet from or to the address. `ingress`: no connection that the
 * address began. `egress`: no connection to the address; it may still begin ones itself.
 */
export const BAN_KINDS = ['both', 'ingress', 'egress'] as const;
export type BanKind = (typeof BAN_KINDS)[number];

/** Bans of one scope; those of a kind are disjoint and in order. */
export type Bans = Readonly<Record<BanKind, readonly Ban[]>>;

/**
 * Tells apart what is banned in both directions, because that needs no connection tracking and is
 * one set instead of two. Where one direction is banned for longer, it stands in both kinds.
 */
export function byKind(ingress: readonly Ban[], egress: readonly Ban[]): Bans {
  // Most bans are of both directions, and have no need of cutting.
  if (areSame(ingress, egress)) return { both: ingress, ingress: [], egress: [] };
  const both: Ban[] = [];
  const onlyIngress: Ban[] = [];
  const onlyEgress: Ban[] = [];
  for (const { family, first, last, ingressUntil, egressUntil } of pieces(ingress, egress)) {
    const piece = { family, first, last };
    if (ingressUntil !== undefined && egressUntil !== undefined) {
      push(both, piece, Math.min(ingressUntil, egressUntil));
    }
    if (ingressUntil !== undefined && !(egressUntil !== undefined && egressUntil >= ingressUntil)) {
      push(onlyIngress, piece, ingressUntil);
    }
    if (egressUntil !== undefined && !(ingressUntil !== undefined && ingressUntil >= egressUntil)) {
      push(onlyEgress, piece, egressUntil);
    }
  }
  return { both, ingress: onlyIngress, egress: onlyEgress };
}

function areSame(a: readonly Ban[], b: readonly Ban[]): boolean {
  return (
    a.length === b.length &&
    a.every((ban, index) => {
      const other = b[index];
      return (
        ban.first === other?.first &&
        ban.last === other.last &&
        ban.family === other.family &&
        ban.expiresAtMs === other.expiresAtMs
      );
    })
  );
}

interface Piece extends Interval {
  /** Infinity: for ever. Undefined: not banned. */
  readonly ingressUntil: number | undefined;
  readonly egressUntil: number | undefined;
}

/** Both lists cut at all their ends. */
function* pieces(ingress: readonly Ban[], egress: readonly Ban[]): Generator<Piece> {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const a = ingress.filter((ban) => ban.family === family);
    const b = egress.filter((ban) => ban.family === family);
    let i = 0;
    let j = 0;
    let from = 0n;
    for (;;) {
      while (i < a.length && (a[i]?.last ?? 0n) < from) i += 1;
      while (j < b.length && (b[j]?.last ?? 0n) < from) j += 1;
      const left = a[i];
      const right = b[j];
      if (left === undefined && right === undefined) break;
      const starts = [left, right].flatMap((ban) => (ban === undefined ? [] : [ban.first]));
      const first = starts.reduce((low, start) => (start < low ? start : low));
      if (first > from) from = first;
      const inLeft = left !== undefined && left.first <= from;
      const inRight = right !== undefined && right.first <= from;
      const ends = [
        ...(left === undefined ? [] : [inLeft ? left.last : left.first - 1n]),
        ...(right === undefined ? [] : [inRight ? right.last : right.first - 1n]),
      ];
      const last = ends.reduce((low, end) => (end < low ? end : low));
      yield {
        family,
        first: from,
        last,
        ingressUntil: inLeft ? (left.expiresAtMs ?? Infinity) : undefined,
        egressUntil: inRight ? (right.expiresAtMs ?? Infinity) : undefined,
      };
      from = last + 1n;
    }
  }
}

/** Neighbours that end at the same time are one. */
function push(list: Ban[], piece: Interval, until: number): void {
  const before = list.at(-1);
  const expiry = until === Infinity ? {} : { expiresAtMs: until };
  if (
    before !== undefined &&
    before.family === piece.family &&
    before.last + 1n === piece.first &&
    before.expiresAtMs === expiry.expiresAtMs
  ) {
    list[list.length - 1] = { ...before, last: piece.last };
  } else {
    list.push({ ...piece, ...expiry });
  }
}
