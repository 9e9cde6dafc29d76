/** From a command line to the IPBlock that it asks for. */
import { isDuration, parseDuration } from '#api/duration.ts';
import type { BlockDirection, IPBlock } from '#api/ip-block.ts';
import { isTime } from '#api/time.ts';
import { validateIPBlock } from '#api/validate.ts';
import { usageError } from '#cli/errors.ts';
import { addressSet } from '#network/cidr/address-set.ts';
import { parseCidr } from '#network/cidr/parse-cidr.ts';
import { wideBans } from '#network/blocks/wide-bans.ts';

export interface BlockWish {
  readonly addresses: readonly string[];
  readonly reason: string;
  readonly owner?: string;
  readonly name?: string;
  /** A duration such as 24h. */
  readonly for?: string;
  /** RFC 3339. */
  readonly until?: string;
  readonly direction?: BlockDirection;
  readonly namespace?: readonly string[];
  readonly gateway?: boolean;
  readonly observe?: boolean;
  readonly acknowledgeWideBan?: boolean;
}

/** What the schema allows for an owner. */
const MAX_OWNER = 128;

/** Throws a usage error that names the option at fault, before anything is sent. */
export function blockOf(wish: BlockWish, nowMs: number): IPBlock {
  const { reason, direction, namespace: namespaces } = wish;
  const cidrs = addressesOf(wish.addresses);
  if (reason.trim() === '') throw usageError('--reason is empty; say why they are cut off');
  if (wish.gateway === true && namespaces === undefined) {
    throw usageError(
      '--gateway goes with --namespace; without namespaces the gateway is in the scope anyway',
    );
  }
  const object: IPBlock = {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: wish.name ?? generatedName(cidrs, nowMs) },
    spec: {
      cidrs,
      reason,
      // A long name of a user is no reason to refuse a ban.
      ...(wish.owner === undefined ? {} : { owner: wish.owner.slice(0, MAX_OWNER) }),
      ...timeOf(wish, nowMs),
      ...(direction === undefined || direction === 'Both' ? {} : { direction }),
      ...(namespaces === undefined
        ? {}
        : { scope: { namespaces, ...(wish.gateway === true ? { gateway: true } : {}) } }),
      ...(wish.observe === true ? { mode: 'Observe' as const } : {}),
      ...(wish.acknowledgeWideBan === true ? { acknowledgeWideBan: true } : {}),
    },
  };
  const wide = wish.acknowledgeWideBan === true ? [] : wideBans(addressSet(cidrs));
  if (wide.length > 0) {
    throw usageError(
      `${wide.join(', ')} is wider than /8 (IPv4) or /19 (IPv6); if all of it is meant, say --acknowledge-wide-ban`,
    );
  }
  const faults = validateIPBlock(object);
  if (faults.length > 0) {
    throw usageError(faults.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  }
  return object;
}

/** Canonical, each once; a single address without its prefix, as people write it. */
export function addressesOf(texts: readonly string[]): readonly string[] {
  return [
    ...new Set(
      texts.map((text) => {
        const parsed = parseCidr(text);
        if (parsed.ok) return shortForm(parsed.cidr);
        const meant =
          parsed.corrected === undefined ? '' : `; ${shortForm(parsed.corrected)} is meant?`;
        throw usageError(`${JSON.stringify(text)} ${parsed.fault}${meant}`);
      }),
    ),
  ];
}

export function shortForm(cidr: string): string {
  return cidr.replace(cidr.includes(':') ? /\/128$/ : /\/32$/, '');
}

function timeOf(wish: BlockWish, nowMs: number): Pick<IPBlock['spec'], 'duration' | 'expiresAt'> {
  if (wish.for !== undefined && wish.until !== undefined) {
    throw usageError('say either --for or --until');
  }
  if (wish.for !== undefined) {
    if (!isDuration(wish.for) || parseDuration(wish.for) === 0) {
      throw usageError(
        '--for wants a duration of hours, minutes and seconds, such as 24h or 1h30m',
      );
    }
    return { duration: wish.for };
  }
  if (wish.until === undefined) return {};
  if (!isTime(wish.until)) {
    throw usageError('--until wants a time as in RFC 3339, such as 2027-01-31T18:00:00Z');
  }
  if (Date.parse(wish.until) <= nowMs) {
    throw usageError(`--until ${wish.until} is over; nothing would be blocked`);
  }
  return { expiresAt: wish.until };
}

/** `198-51-100-0-24-and-2-more-2026-11-26`: tells in a list what it is about. */
export function generatedName(cidrs: readonly string[], nowMs: number): string {
  const [first = 'nothing', ...others] = cidrs;
  const address = first.replaceAll(/[^0-9a-f]+/g, '-').replaceAll(/^-|-$/g, '');
  const rest = others.length === 0 ? '' : `and-${others.length}-more-`;
  return `${address}-${rest}${new Date(nowMs).toISOString().slice(0, 'YYYY-MM-DD'.length)}`;
}
