/**
 * The rules that involve several fields of an ExchangeCredential's spec, and those about changes.
 * Rules about one field stand with the field in exchange-credential-schema.ts.
 */
import type { ExchangeCredentialSpec } from '#api/exchange-credential-types.ts';
import type { CredentialType } from '#api/fields.ts';
import { CREDENTIAL_FIELDS, CREDENTIAL_TYPES, GENERATED_TYPES, fieldsOf } from '#api/fields.ts';
import type { Rule } from '#api/schema/rule.ts';
import { celList, celString } from '#api/schema/rule.ts';

type SpecRule = Rule<ExchangeCredentialSpec>;

/** A CEL map from each type to what `of` says of it. */
function celByType(of: (type: CredentialType) => string): string {
  return `{${CREDENTIAL_TYPES.map((type) => `${celString(type)}: ${of(type)}`).join(', ')}}`;
}

const ALLOWED = `${celByType((type) => celList(fieldsOf(type)))}[self.type]`;
const REQUIRED = `${celByType((type) => celList(CREDENTIAL_FIELDS[type].required))}[self.type]`;

/** The fields of a type in words: `apiKey, apiSecret and optionally passphrase`. */
function describeFields(type: CredentialType): string {
  const { required, optional } = CREDENTIAL_FIELDS[type];
  const parts = required.join(' and ');
  return optional.length === 0 ? parts : `${parts}, and optionally ${optional.join(', ')}`;
}

const DESCRIBED = `${celByType((type) => celString(describeFields(type)))}[self.type]`;

const sealedFields: SpecRule = {
  cel: `!has(self.source.sealed) || (self.source.sealed.all(f, f in ${ALLOWED}) && ${REQUIRED}.all(f, f in self.source.sealed))`,
  message: 'spec.source.sealed must hold exactly the fields of spec.type; seal those',
  messageExpression: {
    cel: `'spec.source.sealed: a credential of type ' + self.type + ' has the fields ' + ${DESCRIBED} + '; seal those and no others'`,
    text: ({ type }) =>
      `spec.source.sealed: a credential of type ${type} has the fields ${describeFields(type)}; seal those and no others`,
  },
  fieldPath: '.source.sealed',
  holds: ({ type, source: { sealed } }) =>
    sealed === undefined ||
    (isSubset(Object.keys(sealed), fieldsOf(type)) &&
      isSubset(CREDENTIAL_FIELDS[type].required, Object.keys(sealed))),
};

const importedFields: SpecRule = {
  cel: `!has(self.source.secretRef) || !has(self.source.secretRef.keys) || self.source.secretRef.keys.all(f, f in ${ALLOWED})`,
  message: 'spec.source.secretRef.keys may name fields of spec.type only; remove the others',
  messageExpression: {
    cel: `'spec.source.secretRef.keys: a credential of type ' + self.type + ' has the fields ' + ${DESCRIBED} + '; remove the others'`,
    text: ({ type }) =>
      `spec.source.secretRef.keys: a credential of type ${type} has the fields ${describeFields(type)}; remove the others`,
  },
  fieldPath: '.source.secretRef.keys',
  holds: ({ type, source }) => isSubset(Object.keys(source.secretRef?.keys ?? {}), fieldsOf(type)),
};

const deliveredFields: SpecRule = {
  cel: `!has(self.delivery.secret) || !has(self.delivery.secret.keys) || self.delivery.secret.keys.all(f, f in ${ALLOWED})`,
  message: 'spec.delivery.secret.keys may name fields of spec.type only; remove the others',
  messageExpression: {
    cel: `'spec.delivery.secret.keys: a credential of type ' + self.type + ' has the fields ' + ${DESCRIBED} + '; remove the others'`,
    text: ({ type }) =>
      `spec.delivery.secret.keys: a credential of type ${type} has the fields ${describeFields(type)}; remove the others`,
  },
  fieldPath: '.delivery.secret.keys',
  holds: ({ type, delivery }) => isSubset(Object.keys(delivery.secret?.keys ?? {}), fieldsOf(type)),
};

/** A field that is not renamed is delivered under its own name, which must stay free for it. */
const distinctKeys: SpecRule = {
  cel: `!has(self.delivery.secret) || !has(self.delivery.secret.keys) || (self.delivery.secret.keys.all(f, self.delivery.secret.keys.exists_one(g, self.delivery.secret.keys[g] == self.delivery.secret.keys[f])) && ${ALLOWED}.all(f, f in self.delivery.secret.keys || !self.delivery.secret.keys.exists(g, self.delivery.secret.keys[g] == f)))`,
  message:
    'spec.delivery.secret.keys would put two fields under one key of the Secret; give each field a key of its own',
  fieldPath: '.delivery.secret.keys',
  holds: ({ type, delivery }) => {
    const keys = new Map(Object.entries(delivery.secret?.keys ?? {}));
    const taken = [...keys.values()];
    return (
      new Set(taken).size === taken.length &&
      fieldsOf(type).every((field) => keys.has(field) || !taken.includes(field))
    );
  },
};

const generatedTypes: SpecRule = {
  cel: `!has(self.source.generate) || self.type in ${celList(GENERATED_TYPES)}`,
  message: `spec.source.generate works for the types ${GENERATED_TYPES.join(', ')} only: the value of any other type is given by an exchange, an authority or a database; use sealed or secretRef`,
  reason: 'FieldValueForbidden',
  fieldPath: '.source.generate',
  holds: ({ type, source }) => source.generate === undefined || GENERATED_TYPES.includes(type),
};

const exchangeName: SpecRule = {
  cel: `(has(self.exchange) && self.exchange == 'Other') == has(self.exchangeName)`,
  message:
    'spec.exchangeName goes with spec.exchange Other, and only with it: add the name, or remove it and name the exchange in spec.exchange',
  fieldPath: '.exchangeName',
  holds: (spec) => (spec.exchange === 'Other') === (spec.exchangeName !== undefined),
};

const otherSecret: SpecRule = {
  cel: `!has(self.source.secretRef) || !has(self.delivery.secret) || self.source.secretRef.name != self.delivery.secret.name`,
  message:
    'spec.delivery.secret.name must differ from spec.source.secretRef.name: a Secret is never delivered onto its own source; choose another name',
  fieldPath: '.delivery.secret.name',
  holds: ({ source, delivery }) =>
    source.secretRef === undefined || source.secretRef.name !== delivery.secret?.name,
};

/** Kubernetes refuses a Secret of this type without these two keys. */
const tlsSecret: SpecRule = {
  cel: `!has(self.delivery.secret) || !has(self.delivery.secret.type) || self.delivery.secret.type != 'kubernetes.io/tls' || (self.type == 'Certificate' && (!has(self.delivery.secret.keys) || ['tls.crt', 'tls.key'].all(f, !(f in self.delivery.secret.keys) || self.delivery.secret.keys[f] == f)))`,
  message:
    'spec.delivery.secret.type kubernetes.io/tls is for type Certificate, whose tls.crt and tls.key keep their names; use Opaque or remove them from spec.delivery.secret.keys',
  fieldPath: '.delivery.secret.type',
  holds: ({ type, delivery: { secret } }) =>
    secret?.type !== 'kubernetes.io/tls' ||
    (type === 'Certificate' && keepsNames(secret.keys, ['tls.crt', 'tls.key'])),
};

/** Kubernetes refuses a Secret of this type without either of these keys. */
const basicAuthSecret: SpecRule = {
  cel: `!has(self.delivery.secret) || !has(self.delivery.secret.type) || self.delivery.secret.type != 'kubernetes.io/basic-auth' || (self.type in ['Password', 'DatabaseCredentials'] && (!has(self.delivery.secret.keys) || ['username', 'password'].all(f, !(f in self.delivery.secret.keys) || self.delivery.secret.keys[f] == f)))`,
  message:
    'spec.delivery.secret.type kubernetes.io/basic-auth is for types Password and DatabaseCredentials, whose username and password keep their names; use Opaque or remove them from spec.delivery.secret.keys',
  fieldPath: '.delivery.secret.type',
  holds: ({ type, delivery: { secret } }) =>
    secret?.type !== 'kubernetes.io/basic-auth' ||
    (['Password', 'DatabaseCredentials'].includes(type) &&
      keepsNames(secret.keys, ['username', 'password'])),
};

const immutable = (field: string, why: string): SpecRule => ({
  cel: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `spec.${field} cannot be changed, added or removed: ${why}; create another ExchangeCredential instead`,
  reason: 'FieldValueForbidden',
  fieldPath: `.${field}`,
});

const revokedIsFinal: SpecRule = {
  cel: `!has(oldSelf.state) || oldSelf.state != 'Revoked' || (has(self.state) && self.state == 'Revoked')`,
  message:
    'spec.state Revoked is final: its versions were ended for good; create another ExchangeCredential instead',
  reason: 'FieldValueForbidden',
  fieldPath: '.state',
};

const SEALS_ARE_BOUND = 'stored versions and sealed values are bound to it';

export const SPEC_RULES: readonly SpecRule[] = [
  exchangeName,
  sealedFields,
  importedFields,
  deliveredFields,
  distinctKeys,
  generatedTypes,
  otherSecret,
  tlsSecret,
  basicAuthSecret,
  immutable('exchange', SEALS_ARE_BOUND),
  immutable('exchangeName', SEALS_ARE_BOUND),
  immutable('type', SEALS_ARE_BOUND),
  immutable('environment', 'a credential never moves between environments'),
  revokedIsFinal,
];

function isSubset(names: readonly string[], of: readonly string[]): boolean {
  return names.every((name) => of.includes(name));
}

function keepsNames(
  keys: Readonly<Record<string, string>> | undefined,
  fields: readonly string[],
): boolean {
  const renamed = new Map(Object.entries(keys ?? {}));
  return fields.every((field) => (renamed.get(field) ?? field) === field);
}
