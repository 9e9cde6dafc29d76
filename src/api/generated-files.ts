import { exchangeCredentialKind } from '#api/exchange-credential-kind.ts';
import { emitReference } from '#api/exchange-credential-reference.ts';
import { emitCrd } from '#api/schema/crd.ts';
import { emitJsonSchema } from '#api/schema/json-schema.ts';
import { emitTypes } from '#api/schema/typescript.ts';

export interface GeneratedFile {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

/** Types that are written by hand because code needs their values too, or because others own them. */
const HAND_WRITTEN_TYPES = {
  Exchange: '#api/exchanges.ts',
  CredentialType: '#api/fields.ts',
  ObjectMeta: '#api/object-meta.ts',
};

/** Every file that is generated from the schemas, with the text it must have. */
export function generatedFiles(): readonly GeneratedFile[] {
  const kind = exchangeCredentialKind;
  const crd = emitCrd(kind);
  return [
    {
      file: 'src/api/exchange-credential-types.ts',
      text: emitTypes(kind, HAND_WRITTEN_TYPES),
    },
    { file: 'crds/strongroom.dev_exchangecredentials.yaml', text: crd },
    // Helm reads no file outside of its chart.
    { file: 'charts/strongroom/files/crds/strongroom.dev_exchangecredentials.yaml', text: crd },
    { file: 'schemas/exchangecredential.json', text: emitJsonSchema(kind) },
    { file: 'docs/reference/exchangecredential.md', text: emitReference(kind) },
  ];
}
