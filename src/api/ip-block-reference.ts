import { WIDE_BAN } from '#api/ip-block-rules.ts';
import { IP_BLOCK_CONDITION_TYPES, IP_BLOCK_REASONS, NETWORK_GAPS } from '#api/names.ts';
import type { IPBlockConditionType } from '#api/names.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { emitFieldTables, emitHead, emitRules, meanings } from '#api/schema/reference.ts';

const CONDITIONS: Readonly<Record<IPBlockConditionType, string>> = {
  Ready: 'The block does what `spec` asks for, everywhere. Always present.',
  Reconciling: 'True while the operator is at work on a change. Always present.',
  Stalled: 'True while the operator cannot go on until somebody acts. Always present.',
  Enforced: 'Every pod that it is about is cut off from every address; else why not.',
  FeedReady: 'The feed was fetched lately and read. Only with a feed.',
};

const ENFORCEMENT: readonly (readonly [string, string])[] = [
  ['Enforced', IP_BLOCK_REASONS.Enforced],
  ['PartiallyEnforced', IP_BLOCK_REASONS.PartiallyEnforced],
  ['Ineffective', IP_BLOCK_REASONS.Ineffective],
  ['Observed', IP_BLOCK_REASONS.Observed],
  ['Expired', IP_BLOCK_REASONS.Expired],
  ['Pending', 'The operator has not carried it out yet; the condition `Ready` says why.'],
];

/** The reference page of IPBlock, as Markdown. */
export function emitBlockReference(kind: KindDefinition): string {
  return `${emitHead(kind)}

The server fills in no field: what an absent one means stands with it. Durations are whole hours, minutes and seconds; \`1h\`, \`60m\` and \`1h0m0s\` are the same. Every field of \`spec\` may be changed later.

## What is never cut off

Addresses of nodes, pods and services, of the API server, the cluster's DNS, the exchanges and the operator's own clients are left out of every block before anything is written; so are private ranges, unless \`cidrs\` names them itself. \`protectedRanges\` in status says what was left out. What is wider than /${WIDE_BAN.IPv4} (IPv4) or /${WIDE_BAN.IPv6} (IPv6) needs \`acknowledgeWideBan: true\`, also where several ranges are that wide together.

## How it ends

By itself, at \`expiresAt\` or \`duration\` after this object was created, also while the operator is away where a node agent runs. The object stays and does nothing any more, so that a GitOps tool does not begin the ban anew; delete it where it was written.

## spec

${emitFieldTables(kind, 'spec')}

## Rules

Each of these is checked by the API server, and without one by \`strongroom validate\`. An entry that stands twice in \`scope.namespaces\` is refused too; in \`cidrs\` it does no harm.

${emitRules(kind)}

## status

${emitFieldTables(kind, 'status')}

## Enforcement

${meanings('Enforcement', ENFORCEMENT)}

## Conditions

${meanings(
  'Condition',
  IP_BLOCK_CONDITION_TYPES.map((type) => [type, CONDITIONS[type]]),
)}

${meanings('Reason', Object.entries(IP_BLOCK_REASONS))}

## Gaps

${meanings('Gap', Object.entries(NETWORK_GAPS))}
`;
}
