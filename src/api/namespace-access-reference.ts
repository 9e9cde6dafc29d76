import { NAMESPACE_ACCESS_NAME } from '#api/names.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { code, emitFieldTables, emitHead } from '#api/schema/reference.ts';

/** The reference page of NamespaceAccess, as Markdown. */
export function emitNamespaceAccessReference(kind: KindDefinition): string {
  return `${emitHead(kind, [['Name', `${code([NAMESPACE_ACCESS_NAME])}, one in each guarded namespace`]])}

Nobody but the operator can write it, and nothing is gained by reading more of it than this: it follows from the AccessPolicies and the ExchangeCredentials, and is written anew whenever one of them changes. It has no status.

## spec

${emitFieldTables(kind, 'spec')}
`;
}
