/**
 * IPBlocks, good and bad, for every suite that needs some. The bad ones are given to the offline
 * validator and to a real API server, which must say the same.
 */
import type { IPBlock, IPBlockSpec } from '#api/ip-block.ts';
import type { AnyObject } from './exchange-credentials.ts';
import { CANARY } from './exchange-credentials.ts';

/** A good object whose spec differs from a plain block's in `spec`; undefined takes a field out. */
export function block(
  spec: { readonly [K in keyof IPBlockSpec]?: unknown } & AnyObject = {},
  name = 'scanner',
): IPBlock {
  const merged: AnyObject = {
    cidrs: ['198.51.100.0/24', '2001:db8::/48'],
    reason: 'credential stuffing against the gateway',
    ...spec,
  };
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name },
    spec: Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined),
    ) as unknown as IPBlockSpec,
  };
}

const feed = (given: AnyObject = {}): AnyObject => ({
  cidrs: undefined,
  feed: Object.fromEntries(
    Object.entries({
      url: 'https://lists.example.com/level1.netset',
      format: 'Netset',
      every: '1h',
      ...given,
    }).filter(([, value]) => value !== undefined),
  ),
});
const CROWDSEC: AnyObject = { format: 'CrowdSec', apiKeySecret: { name: 'crowdsec' } };
const range = (to: number): readonly number[] => Array.from({ length: to }, (_, index) => index);
const hex = (number: number): string => (0x1000 + number).toString(16);

/** As many ranges as an IPBlock may hold. */
export const MOST_IPV4: readonly string[] = range(50_000).map(
  (index) => `${100 + (index >> 15)}.${100 + ((index >> 8) & 127)}.${index & 255}.128/25`,
);
export const MOST_IPV6: readonly string[] = range(50_000).map(
  (index) => `2001:db8:${hex(index >> 8)}:${hex(index & 255)}::/64`,
);

export const GOOD_BLOCKS: Readonly<Record<string, IPBlock>> = {
  'ranges of both families': block(),
  'single addresses': block({ cidrs: ['198.51.100.7', '2001:db8::7', '::1'] }),
  'what is likely to be protected': block({ cidrs: ['10.0.0.0/8', '127.0.0.1', 'fd00::/20'] }),
  'ranges that overlap, and one twice': block({
    cidrs: ['198.51.100.0/24', '198.51.100.0/25', '198.51.100.0/24'],
  }),
  'the widest ranges that need no word': block({ cidrs: ['23.0.0.0/8', '2001::/19'] }),
  'everything there is': block({ cidrs: ['0.0.0.0/0', '::/0'], acknowledgeWideBan: true }),
  'for a time': block({ duration: '24h' }),
  'for a time in another spelling': block({ duration: '1h0m0s' }),
  'until a time': block({ expiresAt: '2999-12-31T23:59:59.999999999+23:59' }),
  'until a time that is over': block({ expiresAt: '2000-02-29T00:00:00Z' }),
  'every other field': block({
    owner: 'Ünïcode Desk',
    direction: 'Ingress',
    scope: { namespaces: ['trading', 'a'.repeat(63)], gateway: true },
    mode: 'Observe',
    acknowledgeWideBan: false,
  }),
  'the gateway alone': block({ scope: { gateway: true } }),
  'all namespaces, not the gateway': block({ scope: { namespaces: ['*'], gateway: false } }),
  'a feed': block(feed()),
  'a feed with all fields': block(
    feed({ every: '5m', maxAge: '0h5m', maxEntries: 100_000, format: 'SpamhausDrop' }),
  ),
  'a feed without encryption, of an address': block(
    feed({ url: 'http://[2001:DB8::1]:8080/a/b.txt?list=1&x=~@%20', format: 'Plain' }),
  ),
  'a feed of CrowdSec': block(feed({ url: 'http://crowdsec-service.crowdsec:8080', ...CROWDSEC })),
  'a feed with as much as fits': block({
    ...feed({
      url: `https://lists.example.com/${'x'.repeat(2022)}`,
      every: '999999h999999m999999s',
      maxAge: '999999h999999m999999s',
    }),
    reason: 'r'.repeat(1024),
    owner: 'o'.repeat(128),
    scope: { namespaces: range(250).map((index) => `${'n'.repeat(58)}${hex(index)}`) },
  }),
};

export interface BadBlock {
  readonly what: string;
  readonly object: IPBlock;
  /** Of the field at fault, as the offline validator writes it. */
  readonly path: string;
  /** Part of what both say. Where it differs, `server` is what the API server says. */
  readonly message: string;
  readonly server?: string;
  /** Refused only when the client asks for strict validation, as kubectl does. */
  readonly strict?: true;
}

const REQUIRED = { message: 'is required; add it', server: 'Required value' };
const EXACTLY_ONE = 'spec.cidrs or spec.feed is needed, and exactly one of the two';

export const BAD_BLOCKS: readonly BadBlock[] = [
  // cidrs
  {
    what: 'neither cidrs nor feed',
    object: block({ cidrs: undefined }),
    path: 'spec',
    message: EXACTLY_ONE,
  },
  {
    what: 'cidrs and feed',
    object: block({ feed: feed()['feed'] }),
    path: 'spec',
    message: EXACTLY_ONE,
  },
  {
    what: 'cidrs: none',
    object: block({ cidrs: [] }),
    path: 'spec.cidrs',
    message: 'spec.cidrs must not be empty',
  },
  {
    what: 'cidrs: too many',
    object: block({ cidrs: range(50_001).map(() => '198.51.100.7') }),
    path: 'spec.cidrs',
    message: 'may have at most 50000 entries',
    server: 'must have at most 50000 items',
  },
  {
    what: 'cidrs: a text',
    object: block({ cidrs: '198.51.100.7' }),
    path: 'spec.cidrs',
    message: 'must be of type array',
  },
  ...[
    '198.51.100.7/24',
    '198.51.100.0/024',
    '198.51.100.07',
    '198.51.100.0/33',
    '198.51.100',
    '198.51.100.0-198.51.100.9',
    ' 198.51.100.7',
    '2001:DB8::/48',
    '2001:db8:0::/48',
    '2001:db8::1/48',
    '2001:db8::/129',
    '2001:db8:0:0::7',
    'fe80::1%eth0',
    '::ffff:198.51.100.7',
    '::ffff:198.51.100.0/120',
    'localhost',
    '',
    CANARY,
  ].map((cidr) => ({
    what: `cidrs: ${JSON.stringify(cidr)}`,
    object: block({ cidrs: ['198.51.100.0/24', cidr] }),
    path: 'spec.cidrs[1]',
    message: 'spec.cidrs must hold addresses and ranges in their canonical form',
  })),
  ...['22.0.0.0/7', '0.0.0.0/0', '2000::/3', '2001::/18', '::/9', '::/0'].map((cidr) => ({
    what: `cidrs: ${cidr} without a word about it`,
    object: block({ cidrs: ['198.51.100.7', cidr, '198.51.100.8'] }),
    path: 'spec.cidrs',
    message: 'set spec.acknowledgeWideBan to true if all of it is meant',
  })),
  {
    what: 'acknowledgeWideBan: false',
    object: block({ cidrs: ['22.0.0.0/7'], acknowledgeWideBan: false }),
    path: 'spec.cidrs',
    message: 'spec.cidrs holds a range wider than /8 (IPv4) or /19 (IPv6); make it narrower',
  },

  // feed
  ...['url', 'format', 'every'].map((field) => ({
    what: `feed: no ${field}`,
    object: block(feed({ [field]: undefined })),
    path: `spec.feed.${field}`,
    ...REQUIRED,
  })),
  ...[
    'ftp://lists.example.com/a',
    'file:///etc/passwd',
    'https://',
    'lists.example.com/a',
    `https://user:${CANARY}@lists.example.com/a`,
    `https://${CANARY}@lists.example.com/a`,
    'https://lists.example.com/a#b',
    'https://lists.example.com/a b',
    'https://lists.example.com\\a',
    'https://lists.example.com:port/',
    'HTTPS://lists.example.com/a',
    '',
  ].map((url) => ({
    what: `feed: the URL ${JSON.stringify(url)}`,
    object: block(feed({ url })),
    path: 'spec.feed.url',
    message: 'spec.feed.url must be a URL of https:// or http:// without user, password',
  })),
  {
    what: 'feed: a URL that is too long',
    object: block(feed({ url: `https://lists.example.com/${'x'.repeat(2023)}` })),
    path: 'spec.feed.url',
    message: 'must be at most 2048 characters long',
    server: 'may not be more than 2048 bytes',
  },
  {
    what: 'feed: an unknown format',
    object: block(feed({ format: 'CSV' })),
    path: 'spec.feed.format',
    message: 'must be one of Netset, SpamhausDrop, Plain, CrowdSec',
    server: 'supported values: "Netset", "SpamhausDrop", "Plain", "CrowdSec"',
  },
  ...['1d', '60', '', '-1h'].map((every) => ({
    what: `feed: every ${JSON.stringify(every)}`,
    object: block(feed({ every })),
    path: 'spec.feed.every',
    message: 'spec.feed.every must be a duration in whole hours, minutes and seconds',
  })),
  {
    what: 'feed: every 0s',
    object: block(feed({ every: '0s' })),
    path: 'spec.feed.every',
    message: 'spec.feed.every must be longer than nothing',
  },
  ...['1s', '4m59s', '299s'].map((every) => ({
    what: `feed: every ${every}`,
    object: block(feed({ every })),
    path: 'spec.feed.every',
    message: 'spec.feed.every must be at least 5m',
  })),
  {
    what: 'feed: a greatest age that is none',
    object: block(feed({ maxAge: 'a day' })),
    path: 'spec.feed.maxAge',
    message: 'spec.feed.maxAge must be a duration',
  },
  {
    what: 'feed: a greatest age shorter than the schedule',
    object: block(feed({ maxAge: '59m59s' })),
    path: 'spec.feed.maxAge',
    message: 'spec.feed.maxAge must not be shorter than spec.feed.every',
  },
  {
    what: 'feed: no entries',
    object: block(feed({ maxEntries: 0 })),
    path: 'spec.feed.maxEntries',
    message: 'must be at least 1',
    server: 'should be greater than or equal to 1',
  },
  {
    what: 'feed: too many entries',
    object: block(feed({ maxEntries: 100_001 })),
    path: 'spec.feed.maxEntries',
    message: 'must be at most 100000',
    server: 'should be less than or equal to 100000',
  },
  {
    what: 'feed: a key for a list that needs none',
    object: block(feed({ apiKeySecret: { name: 'crowdsec' } })),
    path: 'spec.feed.apiKeySecret',
    message: 'spec.feed.apiKeySecret goes with the format CrowdSec, and only with it',
  },
  {
    what: 'feed: CrowdSec without a key',
    object: block(feed({ format: 'CrowdSec' })),
    path: 'spec.feed.apiKeySecret',
    message: 'spec.feed.apiKeySecret goes with the format CrowdSec, and only with it',
  },
  {
    what: 'feed: a key in the place of its Secret',
    object: block(feed({ ...CROWDSEC, apiKeySecret: { name: CANARY } })),
    path: 'spec.feed.apiKeySecret.name',
    message: 'spec.feed.apiKeySecret.name must be the name of a Secret',
  },

  // Why, for how long, for whom.
  {
    what: 'reason: absent',
    object: block({ reason: undefined }),
    path: 'spec.reason',
    ...REQUIRED,
  },
  ...['', ' ', 'two\nlines', ' spaced'].map((reason) => ({
    what: `reason: ${JSON.stringify(reason)}`,
    object: block({ reason }),
    path: 'spec.reason',
    message: 'spec.reason must say in one line why the addresses are cut off',
  })),
  {
    what: 'reason: too long',
    object: block({ reason: 'r'.repeat(1025) }),
    path: 'spec.reason',
    message: 'must be at most 1024 characters long',
    server: 'may not be more than 1024 bytes',
  },
  {
    what: 'owner: empty',
    object: block({ owner: '' }),
    path: 'spec.owner',
    message: 'spec.owner must name the team or person who answers for it',
  },
  {
    what: 'duration and expiresAt',
    object: block({ duration: '1h', expiresAt: '2027-01-31T18:00:00Z' }),
    path: 'spec.expiresAt',
    message: 'spec.duration and spec.expiresAt exclude each other',
  },
  ...['1d', '24', '', 'PT1H', '1.5h'].map((duration) => ({
    what: `duration: ${JSON.stringify(duration)}`,
    object: block({ duration }),
    path: 'spec.duration',
    message: 'spec.duration must be a duration in whole hours, minutes and seconds',
  })),
  {
    what: 'duration: 0m',
    object: block({ duration: '0m' }),
    path: 'spec.duration',
    message: 'spec.duration must be longer than nothing',
  },
  ...[
    '2027-01-31',
    '2027-01-31T18:00Z',
    '2027-01-31T18:00:00',
    '2027-01-31 18:00:00Z',
    '2027-01-31T24:00:00Z',
    '2027-01-31T18:00:60Z',
    '2027-01-31T18:00:00+0100',
    '2027-13-01T18:00:00Z',
    '1999-12-31T18:00:00Z',
    'tomorrow',
    CANARY,
  ].map((expiresAt) => ({
    what: `expiresAt: ${JSON.stringify(expiresAt)}`,
    object: block({ expiresAt }),
    path: 'spec.expiresAt',
    message: 'spec.expiresAt must be a time of RFC 3339',
  })),
  ...['2027-02-29T00:00:00Z', '2100-02-29T00:00:00Z', '2027-04-31T23:59:59+02:00'].map(
    (expiresAt) => ({
      what: `expiresAt: ${expiresAt}, which does not exist`,
      object: block({ expiresAt }),
      path: 'spec.expiresAt',
      message: 'spec.expiresAt must be a day that exists',
    }),
  ),
  {
    what: 'direction: unknown',
    object: block({ direction: 'In' }),
    path: 'spec.direction',
    message: 'must be one of Ingress, Egress, Both',
    server: 'supported values: "Ingress", "Egress", "Both"',
  },
  {
    what: 'mode: unknown',
    object: block({ mode: 'DryRun' }),
    path: 'spec.mode',
    message: 'must be one of Enforce, Observe',
    server: 'supported values: "Enforce", "Observe"',
  },
  ...[{}, { gateway: false }].map((scope) => ({
    what: `scope: ${JSON.stringify(scope)}`,
    object: block({ scope }),
    path: 'spec.scope',
    message: 'spec.scope needs namespaces, gateway: true, or both',
  })),
  {
    what: 'scope: no namespace',
    object: block({ scope: { namespaces: [], gateway: true } }),
    path: 'spec.scope.namespaces',
    message: 'spec.scope.namespaces must not be empty',
  },
  {
    what: 'scope: all namespaces and one',
    object: block({ scope: { namespaces: ['*', 'trading'] } }),
    path: 'spec.scope.namespaces',
    message: 'spec.scope.namespaces has "*", which says all, beside others',
  },
  {
    what: 'scope: one namespace twice',
    object: block({ scope: { namespaces: ['trading', 'trading'] } }),
    path: 'spec.scope.namespaces[1]',
    message: 'stands twice; remove one',
    server: 'Duplicate value',
  },
  ...['trading-*', 'Trading', ''].map((namespace) => ({
    what: `scope: the namespace ${JSON.stringify(namespace)}`,
    object: block({ scope: { namespaces: [namespace] } }),
    path: 'spec.scope.namespaces[0]',
    message: 'spec.scope.namespaces must hold names of namespaces',
  })),
  {
    what: 'acknowledgeWideBan: a text',
    object: block({ acknowledgeWideBan: 'yes' }),
    path: 'spec.acknowledgeWideBan',
    message: 'must be of type boolean',
  },
  {
    what: 'a field that does not exist',
    object: block({ ttl: '1h' }),
    path: 'spec.ttl',
    message: 'there is no such field',
    server: 'unknown field "spec.ttl"',
    strict: true,
  },
];
