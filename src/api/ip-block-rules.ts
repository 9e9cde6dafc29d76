/**
 * The rules that involve several fields of an IPBlock. Rules about one field stand with the field in
 * ip-block-schema.ts.
 */
import { DURATION_PATTERN, isDuration, parseDuration } from '#api/duration.ts';
import type { BlockScope, Feed, IPBlockSpec } from '#api/ip-block-types.ts';
import type { Rule } from '#api/schema/rule.ts';
import { celString } from '#api/schema/rule.ts';

/** A ban of more than this needs a word of its author: a /8 and a /19 are allowed without. */
export const WIDE_BAN = { IPv4: 8, IPv6: 19 } as const;

/**
 * A range of more than that, in canonical ranges with spaces between. One match over the whole text:
 * the API server follows what a loop over 50,000 ranges costs, and takes half a minute for that. As
 * short as can be, since the length counts towards the limit of one rule.
 */
const WIDE_RANGE = '/[0-7]\\b|:/(1?[0-8]|9)\\b';
const wideRange = new RegExp(WIDE_RANGE);

export const IP_BLOCK_SPEC_RULES: readonly Rule<IPBlockSpec>[] = [
  {
    cel: 'has(self.cidrs) != has(self.feed)',
    message: 'spec.cidrs or spec.feed is needed, and exactly one of the two',
    holds: ({ cidrs, feed }) => (cidrs === undefined) !== (feed === undefined),
  },
  {
    cel: '!has(self.duration) || !has(self.expiresAt)',
    message: 'spec.duration and spec.expiresAt exclude each other; remove one of the two',
    fieldPath: '.expiresAt',
    holds: ({ duration, expiresAt }) => duration === undefined || expiresAt === undefined,
  },
  {
    cel: `(has(self.acknowledgeWideBan) && self.acknowledgeWideBan) || !has(self.cidrs) || !self.cidrs.join(' ').matches(${celString(WIDE_RANGE)})`,
    message: `spec.cidrs holds a range wider than /${WIDE_BAN.IPv4} (IPv4) or /${WIDE_BAN.IPv6} (IPv6); make it narrower, or set spec.acknowledgeWideBan to true if all of it is meant`,
    fieldPath: '.cidrs',
    holds: ({ cidrs = [], acknowledgeWideBan }) =>
      acknowledgeWideBan === true || !wideRange.test(cidrs.join(' ')),
  },
];

export const scopeNotEmpty: Rule<BlockScope> = {
  cel: 'has(self.namespaces) || (has(self.gateway) && self.gateway)',
  message:
    'spec.scope needs namespaces, gateway: true, or both; remove it to reach all guarded namespaces and the gateway',
  holds: ({ namespaces, gateway }) => namespaces !== undefined || gateway === true,
};

export const FEED_RULES: readonly Rule<Feed>[] = [
  {
    cel: `(self.format == 'CrowdSec') == has(self.apiKeySecret)`,
    message:
      'spec.feed.apiKeySecret goes with the format CrowdSec, and only with it; add or remove it',
    fieldPath: '.apiKeySecret',
    holds: ({ format, apiKeySecret }) => (format === 'CrowdSec') === (apiKeySecret !== undefined),
  },
  {
    cel: `!has(self.maxAge) || !self.maxAge.matches(${celString(DURATION_PATTERN)}) || !self.every.matches(${celString(DURATION_PATTERN)}) || duration(self.maxAge) >= duration(self.every)`,
    message:
      'spec.feed.maxAge must not be shorter than spec.feed.every, else every copy is stale before the next one is due',
    fieldPath: '.maxAge',
    // The patterns have their own rules.
    holds: ({ maxAge, every }) =>
      maxAge === undefined ||
      !isDuration(maxAge) ||
      !isDuration(every) ||
      parseDuration(maxAge) >= parseDuration(every),
  },
];
