import { CREDENTIAL_FIELDS, CREDENTIAL_TYPES } from '#api/fields.ts';

/** Why `field` cannot be sealed into a credential of `type`; undefined when it can. */
export function fieldFault(type: string, field: string): string | undefined {
  const known = CREDENTIAL_TYPES.find((name) => name === type);
  if (known === undefined) return undefined;
  const { required, optional } = CREDENTIAL_FIELDS[known];
  const fields = [...required, ...optional];
  if (fields.includes(field)) return undefined;
  return `${field} is no field of the type ${type}; it has ${fields.join(', ')}`;
}
