/**
 * ExchangeCredentials, good and bad, for every suite that needs some. The bad ones are given to the
 * offline validator and to a real API server, which must say the same.
 */
import type { ExchangeCredential, ExchangeCredentialSpec } from '#api/exchange-credential.ts';
import { MAX_SEALED_LENGTH } from '#api/fields.ts';

/** Stands where somebody pasted a secret; no refusal may repeat it. */
export const CANARY = 'Kanarienvogel7391';

/** Of the shape of a sealed value; opens nowhere. */
export const SEALED = 'eyJhbGciOiJFQ0RILUVTK0EyNTZLVyJ9.a2V5.aXY.Y2lwaGVydGV4dA.dGFn';

/** An object of any shape, since bad ones do not have the right one. */
export type AnyObject = Readonly<Record<string, unknown>>;

/** A good object whose spec differs from a plain ApiKey's in `spec`; undefined takes a field out. */
export function credential(
  spec: { readonly [K in keyof ExchangeCredentialSpec]?: unknown } & AnyObject = {},
  name = 'maker',
): ExchangeCredential {
  const merged: AnyObject = {
    exchange: 'Binance',
    type: 'ApiKey',
    environment: 'Production',
    owner: 'market-making',
    source: { sealed: { apiKey: SEALED, apiSecret: SEALED } },
    delivery: { secret: { name: 'maker-keys' } },
    ...spec,
  };
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name },
    spec: Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined),
    ) as unknown as ExchangeCredentialSpec,
  };
}

const sealed = (...fields: readonly string[]): AnyObject => ({
  sealed: Object.fromEntries(fields.map((field) => [field, SEALED])),
});
const deliver = (secret: AnyObject): AnyObject => ({ secret: { name: 'maker-keys', ...secret } });

export const GOOD: Readonly<Record<string, ExchangeCredential>> = {
  'an API key': credential(),
  'an API key with a passphrase': credential({
    source: sealed('apiKey', 'apiSecret', 'passphrase'),
  }),
  'a private key of an exchange known by no name': credential({
    exchange: 'Other',
    exchangeName: 'Backpack Exchange',
    type: 'PrivateKey',
    source: sealed('privateKey'),
  }),
  'a password without an exchange': credential({
    exchange: undefined,
    type: 'Password',
    source: sealed('username', 'password'),
    delivery: deliver({ type: 'kubernetes.io/basic-auth' }),
  }),
  'a certificate': credential({
    exchange: undefined,
    type: 'Certificate',
    source: sealed('tls.crt', 'tls.key', 'ca.crt'),
    delivery: deliver({ type: 'kubernetes.io/tls', keys: { 'ca.crt': 'bundle.crt' } }),
  }),
  'database credentials with all fields': credential({
    exchange: undefined,
    type: 'DatabaseCredentials',
    source: sealed('username', 'password', 'host', 'port', 'database'),
  }),
  'a generated key': credential({
    exchange: undefined,
    type: 'EncryptionKey',
    source: { generate: {} },
  }),
  'an import with every field': credential({
    account: '0x5e9ee1089755c3435139848e47e6635505d5a13a',
    description: 'quotes BTC and ETH perpetuals',
    source: {
      secretRef: {
        name: 'import-me',
        keys: { apiKey: 'key', apiSecret: 'key.2' },
        afterImport: 'Delete',
      },
    },
    delivery: deliver({
      keys: { apiKey: 'apiSecret', apiSecret: 'apiKey' },
      labels: { desk: 'mm', 'app.kubernetes.io/name': 'maker', 'example.com/a_b': '' },
      type: 'Opaque',
    }),
    state: 'Suspended',
    deletionPolicy: 'Delete',
    history: { keepVersions: 50, keepFor: '720h0m0s' },
  }),
};

export interface BadObject {
  readonly what: string;
  readonly object: ExchangeCredential;
  /** Of the field at fault, as the offline validator writes it. */
  readonly path: string;
  /** Part of what both say. Where it differs, `server` is what the API server says. */
  readonly message: string;
  readonly server?: string;
  /** Refused only when the client asks for strict validation, as kubectl does. */
  readonly strict?: true;
}

const REQUIRED = { message: 'is required; add it', server: 'Required value' };
const NOT_SEALED = 'holds a value that is not sealed; make it with "strongroom seal"';
const FIELDS_OF_API_KEY =
  'a credential of type ApiKey has the fields apiKey and apiSecret, and optionally passphrase';
const SECRET_NAME = 'must be the name of a Secret';
const RESERVED = 'must not have keys under strongroom.dev/, kubernetes.io/ or k8s.io/';
const KEEP_FOR = 'must be a duration in whole hours, minutes and seconds';

const withSource = (source: unknown): ExchangeCredential => credential({ source });
const withSealed = (apiSecret: unknown): ExchangeCredential =>
  withSource({ sealed: { apiKey: SEALED, apiSecret } });
const withSecretRef = (secretRef: AnyObject): ExchangeCredential =>
  withSource({ secretRef: { name: 'import-me', ...secretRef } });
const withSecret = (secret: AnyObject): ExchangeCredential =>
  credential({ delivery: deliver(secret) });

export const BAD: readonly BadObject[] = [
  // The plaintext that somebody will paste, in every shape.
  ...(
    [
      ['a plaintext', CANARY],
      ['a plaintext of several lines', `-----BEGIN KEY-----\n${CANARY}\n-----END KEY-----\n`],
      ['four parts instead of five', `eyJh.${CANARY}.a.b`],
      ['six parts', `eyJh.${CANARY}.a.b.c.d`],
      ['a part that is empty', `eyJh.${CANARY}..b.c`],
      ['a sealed value with a line break', `${SEALED}\n${CANARY}`],
      ['base64 instead of base64url', `eyJh.${CANARY}+/=.a.b.c`],
      ['an empty text', ''],
    ] as const
  ).map(([what, value]) => ({
    what: `sealed: ${what}`,
    object: withSealed(value),
    path: 'spec.source.sealed.apiSecret',
    message: NOT_SEALED,
  })),
  {
    what: 'sealed: longer than the bound',
    object: withSealed(`eyJh.${CANARY}.a.${'b'.repeat(MAX_SEALED_LENGTH)}.c`),
    path: 'spec.source.sealed.apiSecret',
    message: `must be at most ${MAX_SEALED_LENGTH} characters long`,
    server: `may not be more than ${MAX_SEALED_LENGTH} bytes`,
  },
  {
    what: 'sealed: a number',
    object: withSealed(7_391_739_173_917_391),
    path: 'spec.source.sealed.apiSecret',
    message: 'must be of type string',
  },
  {
    what: 'sealed: a list',
    object: withSealed([CANARY]),
    path: 'spec.source.sealed.apiSecret',
    message: 'must be of type string',
  },
  {
    what: 'sealed: a map',
    object: withSealed({ value: CANARY }),
    path: 'spec.source.sealed.apiSecret',
    message: 'must be of type string',
  },
  {
    what: 'sealed: the plaintext itself',
    object: withSource({ sealed: CANARY }),
    path: 'spec.source.sealed',
    message: 'must be of type object',
  },
  {
    what: 'sealed: a field is missing',
    object: withSource(sealed('apiKey')),
    path: 'spec.source.sealed',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'sealed: a field of another type',
    object: withSource(sealed('apiKey', 'apiSecret', 'privateKey')),
    path: 'spec.source.sealed',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'sealed: no field',
    object: withSource({ sealed: {} }),
    path: 'spec.source.sealed',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'sealed: the secret as the name of a field',
    object: withSource({ sealed: { apiKey: SEALED, apiSecret: SEALED, [CANARY]: SEALED } }),
    path: 'spec.source.sealed',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'sealed: too many fields',
    object: withSource(sealed('a', 'b', 'c', 'd', 'e', 'f')),
    path: 'spec.source.sealed',
    message: 'may have at most 5 entries',
    server: 'must have at most 5 items',
  },

  // Unions.
  {
    what: 'source: none',
    object: withSource({}),
    path: 'spec.source',
    message: 'needs exactly one of sealed, secretRef and generate',
  },
  {
    what: 'source: two',
    object: withSource({ ...sealed('apiKey', 'apiSecret'), secretRef: { name: 'import-me' } }),
    path: 'spec.source',
    message: 'needs exactly one of sealed, secretRef and generate',
  },
  {
    what: 'source: all three',
    object: credential({
      type: 'PrivateKey',
      source: { ...sealed('privateKey'), secretRef: { name: 'import-me' }, generate: {} },
    }),
    path: 'spec.source',
    message: 'needs exactly one of sealed, secretRef and generate',
  },
  {
    what: 'source: absent',
    object: withSource(undefined),
    path: 'spec.source',
    ...REQUIRED,
  },
  {
    what: 'source: a text',
    object: withSource(CANARY),
    path: 'spec.source',
    message: 'must be of type object',
  },
  {
    what: 'delivery: none',
    object: credential({ delivery: {} }),
    path: 'spec.delivery',
    message: 'needs exactly one way of delivery: give secret',
  },
  {
    what: 'delivery: absent',
    object: credential({ delivery: undefined }),
    path: 'spec.delivery',
    ...REQUIRED,
  },

  // generate
  ...(
    [
      ['ApiKey', 'Binance'],
      ['Certificate', undefined],
      ['DatabaseCredentials', undefined],
    ] as const
  ).map(([type, exchange]) => ({
    what: `generate: the type ${type}`,
    object: credential({ type, exchange, source: { generate: {} } }),
    path: 'spec.source.generate',
    message: 'works for the types PrivateKey, Password, EncryptionKey only',
  })),

  // secretRef
  {
    what: 'secretRef: no name',
    object: withSource({ secretRef: {} }),
    path: 'spec.source.secretRef.name',
    ...REQUIRED,
  },
  {
    what: 'secretRef: a secret instead of a name',
    object: withSecretRef({ name: CANARY }),
    path: 'spec.source.secretRef.name',
    message: SECRET_NAME,
  },
  {
    what: 'secretRef: an empty name',
    object: withSecretRef({ name: '' }),
    path: 'spec.source.secretRef.name',
    message: SECRET_NAME,
  },
  {
    what: 'secretRef: a name in another namespace',
    object: withSecretRef({ name: `other/${CANARY.toLowerCase()}` }),
    path: 'spec.source.secretRef.name',
    message: SECRET_NAME,
  },
  {
    what: 'secretRef: a name that is too long',
    object: withSecretRef({ name: 'a'.repeat(254) }),
    path: 'spec.source.secretRef.name',
    message: 'must be at most 253 characters long',
    server: 'may not be more than 253 bytes',
  },
  {
    what: 'secretRef: a key that no Secret can have',
    object: withSecretRef({ keys: { apiKey: `${CANARY}/x` } }),
    path: 'spec.source.secretRef.keys.apiKey',
    message: 'must hold keys of a Secret',
  },
  {
    what: 'secretRef: a field of another type',
    object: withSecretRef({ keys: { password: 'password' } }),
    path: 'spec.source.secretRef.keys',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'secretRef: afterImport unknown',
    object: withSecretRef({ afterImport: 'Shred' }),
    path: 'spec.source.secretRef.afterImport',
    message: 'must be one of Keep, Delete',
    server: 'supported values: "Keep", "Delete"',
  },

  // delivery
  {
    what: 'delivery: no name',
    object: credential({ delivery: { secret: {} } }),
    path: 'spec.delivery.secret.name',
    ...REQUIRED,
  },
  {
    what: 'delivery: a name that no Secret can have',
    object: withSecret({ name: 'Maker_Keys' }),
    path: 'spec.delivery.secret.name',
    message: SECRET_NAME,
  },
  {
    what: 'delivery: onto its own source',
    object: credential({
      source: { secretRef: { name: 'maker-keys' } },
      delivery: deliver({}),
    }),
    path: 'spec.delivery.secret.name',
    message: 'must differ from spec.source.secretRef.name',
  },
  {
    what: 'delivery: a key that no Secret can have',
    object: withSecret({ keys: { apiKey: 'API KEY' } }),
    path: 'spec.delivery.secret.keys.apiKey',
    message: 'must hold keys of a Secret',
  },
  {
    what: 'delivery: a field of another type',
    object: withSecret({ keys: { privateKey: 'KEY' } }),
    path: 'spec.delivery.secret.keys',
    message: FIELDS_OF_API_KEY,
  },
  {
    what: 'delivery: two fields under one key',
    object: withSecret({ keys: { apiKey: 'KEY', apiSecret: 'KEY' } }),
    path: 'spec.delivery.secret.keys',
    message: 'would put two fields under one key',
  },
  {
    what: 'delivery: a field under the key of one that keeps its name',
    object: withSecret({ keys: { apiKey: 'apiSecret' } }),
    path: 'spec.delivery.secret.keys',
    message: 'would put two fields under one key',
  },
  {
    what: 'delivery: the type of a ServiceAccount token',
    object: withSecret({ type: 'kubernetes.io/service-account-token' }),
    path: 'spec.delivery.secret.type',
    message: 'must be one of Opaque, kubernetes.io/tls, kubernetes.io/basic-auth',
    server: 'supported values: "Opaque", "kubernetes.io/tls", "kubernetes.io/basic-auth"',
  },
  {
    what: 'delivery: kubernetes.io/tls for an API key',
    object: withSecret({ type: 'kubernetes.io/tls' }),
    path: 'spec.delivery.secret.type',
    message: 'kubernetes.io/tls is for type Certificate',
  },
  {
    what: 'delivery: kubernetes.io/tls with a renamed tls.key',
    object: credential({
      exchange: undefined,
      type: 'Certificate',
      source: sealed('tls.crt', 'tls.key'),
      delivery: deliver({ type: 'kubernetes.io/tls', keys: { 'tls.key': 'key.pem' } }),
    }),
    path: 'spec.delivery.secret.type',
    message: 'kubernetes.io/tls is for type Certificate',
  },
  {
    what: 'delivery: kubernetes.io/basic-auth for an API key',
    object: withSecret({ type: 'kubernetes.io/basic-auth' }),
    path: 'spec.delivery.secret.type',
    message: 'kubernetes.io/basic-auth is for types Password and DatabaseCredentials',
  },
  ...['strongroom.dev/credential', 'x.strongroom.dev/y', 'kubernetes.io/x', 'node.k8s.io/x'].map(
    (label) => ({
      what: `delivery: the label ${label}`,
      object: withSecret({ labels: { [label]: 'x' } }),
      path: 'spec.delivery.secret.labels',
      message: RESERVED,
    }),
  ),
  {
    what: 'delivery: a label key that is none',
    object: withSecret({ labels: { 'a b': 'x' } }),
    path: 'spec.delivery.secret.labels',
    message: 'must have label keys',
  },
  {
    what: 'delivery: a label value that is none',
    object: withSecret({ labels: { desk: `${CANARY}!` } }),
    path: 'spec.delivery.secret.labels.desk',
    message: 'must have label values',
  },

  // The rest of spec.
  {
    what: 'exchange: unknown',
    object: credential({ exchange: 'Binanze' }),
    path: 'spec.exchange',
    message: 'must be one of Hyperliquid, Phemex, Binance',
    server: 'supported values: "Hyperliquid", "Phemex", "Binance"',
  },
  {
    what: 'exchange: Other without its name',
    object: credential({ exchange: 'Other' }),
    path: 'spec.exchangeName',
    message: 'goes with spec.exchange Other, and only with it',
  },
  {
    what: 'exchangeName: with a known exchange',
    object: credential({ exchangeName: 'Backpack' }),
    path: 'spec.exchangeName',
    message: 'goes with spec.exchange Other, and only with it',
  },
  {
    what: 'exchangeName: without exchange',
    object: credential({ exchange: undefined, exchangeName: 'Backpack' }),
    path: 'spec.exchangeName',
    message: 'goes with spec.exchange Other, and only with it',
  },
  {
    what: 'exchangeName: a line break',
    object: credential({ exchange: 'Other', exchangeName: `a\n${CANARY}` }),
    path: 'spec.exchangeName',
    message: 'must be letters, digits',
  },
  {
    what: 'type: unknown',
    object: credential({ type: 'Token' }),
    path: 'spec.type',
    message: 'must be one of ApiKey, PrivateKey',
    server: 'supported values: "ApiKey", "PrivateKey"',
  },
  { what: 'type: absent', object: credential({ type: undefined }), path: 'spec.type', ...REQUIRED },
  {
    what: 'environment: unknown',
    object: credential({ environment: 'Prod' }),
    path: 'spec.environment',
    message: 'must be one of Development, Staging, Production',
    server: 'supported values: "Development", "Staging", "Production"',
  },
  {
    what: 'environment: absent',
    object: credential({ environment: undefined }),
    path: 'spec.environment',
    ...REQUIRED,
  },
  {
    what: 'owner: absent',
    object: credential({ owner: undefined }),
    path: 'spec.owner',
    ...REQUIRED,
  },
  {
    what: 'owner: empty',
    object: credential({ owner: '' }),
    path: 'spec.owner',
    message: 'must name the team or person who answers for it',
  },
  {
    what: 'account: a control character',
    object: credential({ account: `${CANARY}\u001b[31m` }),
    path: 'spec.account',
    message: 'must be one line of text',
  },
  {
    what: 'description: too long',
    object: credential({ description: CANARY.repeat(100) }),
    path: 'spec.description',
    message: 'must be at most 1024 characters long',
    server: 'may not be more than 1024 bytes',
  },
  {
    what: 'state: unknown',
    object: credential({ state: 'Paused' }),
    path: 'spec.state',
    message: 'must be one of Active, Suspended, Revoked',
    server: 'supported values: "Active", "Suspended", "Revoked"',
  },
  {
    what: 'deletionPolicy: unknown',
    object: credential({ deletionPolicy: 'Orphan' }),
    path: 'spec.deletionPolicy',
    message: 'must be one of Retain, Revoke, Delete',
    server: 'supported values: "Retain", "Revoke", "Delete"',
  },
  {
    what: 'history: no version kept',
    object: credential({ history: { keepVersions: 0 } }),
    path: 'spec.history.keepVersions',
    message: 'must be at least 1',
    server: 'should be greater than or equal to 1',
  },
  {
    what: 'history: too many versions kept',
    object: credential({ history: { keepVersions: 51 } }),
    path: 'spec.history.keepVersions',
    message: 'must be at most 50',
    server: 'should be less than or equal to 50',
  },
  ...['', '30d', '1.5h', '-1h', '5m1h', '1h ', '99999999h', '3600'].map((keepFor) => ({
    what: `history: the duration ${JSON.stringify(keepFor)}`,
    object: credential({ history: { keepFor } }),
    path: 'spec.history.keepFor',
    message: KEEP_FOR,
  })),
  {
    what: 'a field that does not exist',
    object: credential({ rotation: { every: '720h' } }),
    path: 'spec.rotation',
    message: 'there is no such field',
    server: 'unknown field "spec.rotation"',
    strict: true,
  },
];
