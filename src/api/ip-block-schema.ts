/**
 * The schema of IPBlock: the one place from which the TypeScript types, the CRD, the JSON Schema for
 * editors and the reference page are generated (see generate.ts).
 *
 * No field has a default: a server that fills in fields shows up as drift in GitOps tools. What an
 * absent field means stands in its description.
 */
import { z } from 'zod';
import { isCanonicalAddress, isCanonicalCidr } from '#api/cidr.ts';
import { DURATION_PATTERN, isDuration, parseDuration } from '#api/duration.ts';
import { FEED_RULES, IP_BLOCK_SPEC_RULES, scopeNotEmpty } from '#api/ip-block-rules.ts';
import { ipBlockStatusSchema } from '#api/ip-block-status.ts';
import type { IPBlock, IPBlockSpec } from '#api/ip-block-types.ts';
import {
  DNS_LABEL,
  LINE,
  duration,
  namesOrAll,
  notEmpty,
  objectName,
  text,
} from '#api/schema/building-blocks.ts';
import { objectMetadata } from '#api/schema/every-kind.ts';
import { celString, withRules } from '#api/schema/rule.ts';
import { TIME_PATTERN, isTime } from '#api/time.ts';

/** What the API server still takes: its rules have a limit for what they cost, the object one for its size. */
const MAX_CIDRS = 50_000;

const address = withRules(z.string().max(43), [
  {
    cel: 'isCIDR(self) ? string(cidr(self).masked()) == self : isIP(self) && ip.isCanonical(self)',
    message:
      'spec.cidrs must hold addresses and ranges in their canonical form, without host bits: 198.51.100.7, 198.51.100.0/24 or 2001:db8::/48',
    reason: 'FieldValueForbidden',
    holds: (value) => isCanonicalAddress(value) || isCanonicalCidr(value),
  },
]);

const cidrs = withRules(z.array(address).max(MAX_CIDRS), [
  notEmpty('spec.cidrs', 'name at least one address or range, or give a feed instead'),
]).meta({
  'x-kubernetes-list-type': 'atomic',
  description:
    'Addresses and ranges to cut off. An object holds about 1.5 MiB at most: for more than that, take several IPBlocks or a feed.',
});

const SHORTEST_EVERY = '5m';

const feed = withRules(
  z.strictObject({
    url: text({
      maxLength: 2048,
      pattern:
        '^https?://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:]+\\])(:[0-9]{1,5})?([/?][!-"$-~]*)?$',
      message:
        'spec.feed.url must be a URL of https:// or http:// without user, password and fragment',
      description:
        'Where the list is. Whoever may read this object reads it too: no secret belongs into it. What is inside of the cluster, or without TLS, is fetched only from the origins that the operator is given in `network.feedOrigins`, also by redirect.',
    }),
    format: z.enum(['Netset', 'SpamhausDrop', 'Plain', 'CrowdSec']).meta({
      title: 'FeedFormat',
      description:
        'What the list is. Netset: as FireHOL has it. SpamhausDrop: JSON lines of Spamhaus DROP. Plain: an address or range a line. CrowdSec: the decision stream of its local API.',
    }),
    every: duration('spec.feed.every', '1h or 30m', 'How often it is fetched, at least 5m.', [
      {
        cel: `!self.matches(${celString(DURATION_PATTERN)}) || !self.matches('[1-9]') || duration(self) >= duration('${SHORTEST_EVERY}')`,
        message: `spec.feed.every must be at least ${SHORTEST_EVERY}`,
        reason: 'FieldValueForbidden',
        holds: (value) =>
          !isDuration(value) ||
          !/[1-9]/.test(value) ||
          parseDuration(value) >= parseDuration(SHORTEST_EVERY),
      },
    ]),
    maxEntries: z
      .int()
      .min(1)
      .max(100_000)
      .meta({
        description:
          'A list with more entries than this is refused whole; the last good copy stays. Absent: 50000.',
      })
      .exactOptional(),
    maxAge: duration(
      'spec.feed.maxAge',
      '24h or 90m',
      'A copy that is older than this is told to be stale; it stays in force. Absent: three times `every`.',
    ).exactOptional(),
    apiKeySecret: z
      .strictObject({
        name: objectName(
          'spec.feed.apiKeySecret.name',
          'Name of the Secret. It must carry the label `strongroom.dev/component: feed-key` and have the keys `url`, of the same origin as the one here, and `apiKey`: so no IPBlock can have a key sent elsewhere.',
        ),
      })
      .meta({
        title: 'FeedKeySecret',
        description:
          "A Secret in the operator's namespace that holds the key of the CrowdSec local API. With the format CrowdSec, and only there.",
      })
      .exactOptional(),
  }),
  FEED_RULES,
).meta({
  title: 'Feed',
  description:
    'A list that is fetched on a schedule. Private and protected ranges in it are left out. While it cannot be fetched, the last good copy stays in force.',
});

const scope = withRules(
  z.strictObject({
    namespaces: namesOrAll('spec.scope.namespaces', 'namespaces', 63, DNS_LABEL)
      .meta({
        description:
          'Guarded namespaces whose pods are cut off from the addresses; `["*"]` says all. Absent: none.',
      })
      .exactOptional(),
    gateway: z
      .boolean()
      .meta({ description: 'Whether the gateway refuses the addresses too. Absent: false.' })
      .exactOptional(),
  }),
  [scopeNotEmpty],
).meta({
  title: 'BlockScope',
  description: 'Whom it is about. Absent: the pods of all guarded namespaces, and the gateway.',
});

export const ipBlockSpecSchema: z.ZodType<IPBlockSpec> = withRules(
  z.strictObject({
    cidrs: cidrs.exactOptional(),
    feed: feed.exactOptional(),
    reason: text({
      maxLength: 1024,
      pattern: LINE,
      message: 'spec.reason must say in one line why the addresses are cut off',
      description: 'Why they are cut off; it stands in status, audit and lists.',
    }),
    owner: text({
      maxLength: 128,
      pattern: LINE,
      message: 'spec.owner must name the team or person who answers for it, in one line',
      description: 'The team or person who answers for it.',
    }).exactOptional(),
    duration: duration(
      'spec.duration',
      '24h or 90m',
      'How long it holds, from the time at which this object was created. It ends by itself; the object stays and does nothing any more. With neither this nor `expiresAt` it holds until it is removed.',
    ).exactOptional(),
    expiresAt: text({
      maxLength: 35,
      pattern: TIME_PATTERN,
      message:
        'spec.expiresAt must be a time of RFC 3339, such as 2027-01-31T18:00:00Z or 2027-01-31T18:00:00+01:00',
      description:
        'When it ends, RFC 3339. A time that is over is legal: the block does nothing any more.',
      rules: [
        {
          // The server fails on a day that does not exist, and repeats it: digits only, by then.
          cel: `!self.matches(${celString(TIME_PATTERN)}) || timestamp(self).getFullYear() >= 0`,
          message: 'spec.expiresAt must be a day that exists',
          reason: 'FieldValueForbidden',
          holds: (value) => !new RegExp(TIME_PATTERN).test(value) || isTime(value),
        },
      ],
    }).exactOptional(),
    direction: z
      .enum(['Ingress', 'Egress', 'Both'])
      .meta({
        title: 'BlockDirection',
        description:
          'Ingress: the addresses reach no pod. Egress: no pod reaches the addresses. Absent: Both.',
      })
      .exactOptional(),
    scope: scope.exactOptional(),
    mode: z
      .enum(['Enforce', 'Observe'])
      .meta({
        title: 'BlockMode',
        description:
          'Observe: nothing is written; status says what would be cut off. Absent: Enforce.',
      })
      .exactOptional(),
    acknowledgeWideBan: z
      .boolean()
      .meta({
        description:
          'Whether it may be wider than /8 (IPv4) or /19 (IPv6), also with several ranges together or by its feed. Absent: false.',
      })
      .exactOptional(),
  }),
  IP_BLOCK_SPEC_RULES,
).meta({
  title: 'IPBlockSpec',
  description: 'What must not talk, why, and for how long. No field is filled in by the server.',
});

/** A whole object, as a file or the API server holds it. */
export const ipBlockSchema: z.ZodType<IPBlock> = z.strictObject({
  apiVersion: z.literal('strongroom.dev/v1alpha1'),
  kind: z.literal('IPBlock'),
  metadata: objectMetadata,
  spec: ipBlockSpecSchema,
  status: ipBlockStatusSchema.exactOptional(),
});
