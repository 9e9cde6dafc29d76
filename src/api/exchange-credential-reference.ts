import { CREDENTIAL_FIELDS, CREDENTIAL_TYPES, GENERATED_TYPES } from '#api/fields.ts';
import { ANNOTATIONS, CONDITION_TYPES, FINALIZER, LABELS, REASONS } from '#api/names.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import {
  code,
  emitFieldTables,
  emitHead,
  emitRules,
  escape,
  markdownTable,
} from '#api/schema/reference.ts';

const CONDITIONS: Readonly<Record<(typeof CONDITION_TYPES)[number], string>> = {
  Ready: 'All that `spec` asks for holds. Always present.',
  Reconciling: 'True while the operator is at work on a change. Always present.',
  Stalled: 'True while the operator cannot go on until somebody acts. Always present.',
  SourceReady: 'The source can be read and its value is usable.',
  Delivered: 'The current version is in the Secret.',
};

/** The reference page of ExchangeCredential, as Markdown. */
export function emitReference(kind: KindDefinition): string {
  return `${emitHead(kind, [['Finalizer', code([FINALIZER])]])}

The server fills in no field: what an absent one means stands with it. Durations are whole hours, minutes and seconds; \`1h\`, \`60m\` and \`1h0m0s\` are the same.

## Types and their fields

${markdownTable(
  ['Type', 'Required', 'Optional', 'Can be generated'],
  CREDENTIAL_TYPES.map((type) => [
    `\`${type}\``,
    code(CREDENTIAL_FIELDS[type].required),
    code(CREDENTIAL_FIELDS[type].optional),
    GENERATED_TYPES.includes(type) ? 'yes' : '',
  ]),
)}

## spec

${emitFieldTables(kind, 'spec')}

## Rules

Each of these is checked by the API server, and without one by \`strongroom validate\`. A refusal by one of them never repeats a value of a secret. What Kubernetes refuses before any rule is looked at can repeat what was sent to it, and no schema prevents that: a server-side apply of a value of the wrong type (\`sealed: hunter2\`, where a map belongs), a value in the place of a key (\`privateKey: { hunter2: 1 }\`), and a client-side \`kubectl apply\` of an object with an unknown field, whose error quotes the whole object. Run \`strongroom validate\` before the commit: it finds plaintext in the place of a ciphertext without repeating it.

${emitRules(kind)}

## status

${emitFieldTables(kind, 'status')}

## Conditions

${markdownTable(
  ['Condition', 'Meaning'],
  CONDITION_TYPES.map((type) => [`\`${type}\``, CONDITIONS[type]]),
)}

${markdownTable(
  ['Reason', 'Meaning'],
  Object.entries(REASONS).map(([reason, meaning]) => [`\`${reason}\``, escape(meaning)]),
)}

## Annotations

${markdownTable(
  ['Annotation', 'Meaning'],
  [
    [ANNOTATIONS.rotate, 'A request id: take a new version from the source now.'],
    [
      ANNOTATIONS.rollbackTo,
      '`<version>` or `<version>/<request id>`: make that version current again.',
    ],
    [ANNOTATIONS.revoke, '`<version>` or `<version>/<request id>`: end that version for good.'],
    [ANNOTATIONS.reason, 'Why one of the above is asked for.'],
    [
      ANNOTATIONS.adopt,
      'UID of the namespace that the vault entry was made in: lets its successor take the entry over.',
    ],
    [ANNOTATIONS.version, 'On a delivered Secret: the version it holds.'],
  ].map(([name = '', meaning = '']) => [`\`${name}\``, meaning]),
)}

## Labels

${markdownTable(
  ['Label', 'Meaning'],
  [
    [LABELS.guarded, 'On a namespace, `"true"`: Strongroom works here.'],
    [LABELS.environment, 'On a namespace: the environment that its credentials must have.'],
    [LABELS.credential, 'On a delivered Secret: its ExchangeCredential.'],
    [LABELS.component, "On the operator's own objects: what they are."],
  ].map(([name = '', meaning = '']) => [`\`${name}\``, meaning]),
)}
`;
}
