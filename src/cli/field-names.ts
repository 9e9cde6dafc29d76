import { CREDENTIAL_TYPES, fieldsOf } from '#api/fields.ts';

/** Why a credential of `type` has no such field; undefined when it has, or the type is unknown. */
export function fieldFault(type: string, field: string): string | undefined {
  const known = CREDENTIAL_TYPES.find((name) => name === type);
  if (known === undefined || fieldsOf(known).includes(field)) return undefined;
  return `${field} is no field of the type ${type}; it has ${fieldsOf(known).join(', ')}`;
}
