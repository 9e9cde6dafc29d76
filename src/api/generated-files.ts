import { accessPolicyKind } from '#api/access-policy-kind.ts';
import { emitAccessReference } from '#api/access-policy-reference.ts';
import { emergencyAccessKind } from '#api/emergency-access-kind.ts';
import { emitEmergencyReference } from '#api/emergency-access-reference.ts';
import { exchangeCredentialKind } from '#api/exchange-credential-kind.ts';
import { emitReference } from '#api/exchange-credential-reference.ts';
import { ipBlockKind } from '#api/ip-block-kind.ts';
import { emitBlockReference } from '#api/ip-block-reference.ts';
import { namespaceAccessKind } from '#api/namespace-access-kind.ts';
import { emitNamespaceAccessReference } from '#api/namespace-access-reference.ts';
import { emitCrd } from '#api/schema/crd.ts';
import { emitJsonSchema } from '#api/schema/json-schema.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { emitTypes } from '#api/schema/typescript.ts';

export interface GeneratedFile {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

/** Types that are written by hand because code needs their values too, or because others own them. */
const OF_CREDENTIALS = {
  Exchange: '#api/exchanges.ts',
  CredentialType: '#api/fields.ts',
  ObjectMeta: '#api/object-meta.ts',
  AccessLevel: '#api/roles.ts',
};
const OF_POLICIES = {
  Environment: '#api/exchange-credential-types.ts',
  Exchange: '#api/exchanges.ts',
  ExchangeSelector: '#api/exchanges.ts',
  NetworkGap: '#api/ip-block-types.ts',
  ObjectMeta: '#api/object-meta.ts',
  AccessLevel: '#api/roles.ts',
  Permission: '#api/roles.ts',
  Role: '#api/roles.ts',
};
const OF_BLOCKS = { ObjectMeta: '#api/object-meta.ts' };
const OF_EMERGENCIES = {
  Condition: '#api/exchange-credential-types.ts',
  ObjectMeta: '#api/object-meta.ts',
};
const OF_NAMESPACES = { ObjectMeta: '#api/object-meta.ts' };

/** Every file that is generated from the schemas, with the text it must have. */
export function generatedFiles(): readonly GeneratedFile[] {
  return [
    {
      file: 'src/api/exchange-credential-types.ts',
      text: emitTypes(exchangeCredentialKind, OF_CREDENTIALS),
    },
    { file: 'src/api/access-policy-types.ts', text: emitTypes(accessPolicyKind, OF_POLICIES) },
    { file: 'src/api/ip-block-types.ts', text: emitTypes(ipBlockKind, OF_BLOCKS) },
    {
      file: 'src/api/emergency-access-types.ts',
      text: emitTypes(emergencyAccessKind, OF_EMERGENCIES),
    },
    {
      file: 'src/api/namespace-access-types.ts',
      text: emitTypes(namespaceAccessKind, OF_NAMESPACES),
    },
    ...filesOf(exchangeCredentialKind, emitReference(exchangeCredentialKind)),
    ...filesOf(accessPolicyKind, emitAccessReference(accessPolicyKind)),
    ...filesOf(ipBlockKind, emitBlockReference(ipBlockKind)),
    ...filesOf(emergencyAccessKind, emitEmergencyReference(emergencyAccessKind)),
    // Nobody writes one by hand, so editors need no schema of it.
    ...filesOf(namespaceAccessKind, emitNamespaceAccessReference(namespaceAccessKind)).filter(
      ({ file }) => !file.startsWith('schemas/'),
    ),
  ];
}

function filesOf(kind: KindDefinition, reference: string): readonly GeneratedFile[] {
  const crd = emitCrd(kind);
  const crdFile = `${kind.group}_${kind.plural}.yaml`;
  return [
    { file: `crds/${crdFile}`, text: crd },
    // Helm reads no file outside of its chart.
    { file: `charts/strongroom/files/crds/${crdFile}`, text: crd },
    { file: `schemas/${kind.singular}.json`, text: emitJsonSchema(kind) },
    { file: `docs/reference/${kind.singular}.md`, text: reference },
  ];
}
