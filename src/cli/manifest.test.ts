import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { findCredentials, resealFields, selectCredential, setSealedField } from '#cli/manifest.ts';

const MAKER = `# desk: market making
apiVersion: v1
kind: ConfigMap
metadata: { name: other }
---
apiVersion: strongroom.dev/v1alpha1
kind: ExchangeCredential
metadata:
  name: maker   # the quoting bot
  namespace: trading
spec:
  exchange: Hyperliquid
  type: PrivateKey
  environment: Production
  owner: market-making
  source:
    sealed:
      # sealed by alice
      privateKey: eyJvbGQ.a.b.c.d   # 2026-01-01
  delivery:
    secret: { name: maker, keys: { privateKey: HL_PRIVATE_KEY } }
`;

describe('findCredentials', () => {
  it('finds the ExchangeCredentials among other documents', () => {
    expect(findCredentials(MAKER, 'maker.yaml')).toEqual([
      {
        index: 1,
        name: 'maker',
        namespace: 'trading',
        type: 'PrivateKey',
        exchange: 'Hyperliquid',
      },
    ]);
  });

  it('binds Other by the name of the exchange', () => {
    const text = MAKER.replace('exchange: Hyperliquid', 'exchange: Other\n  exchangeName: Paradex');
    expect(findCredentials(text, 'f')[0]?.exchange).toBe('Paradex');
  });

  it('says which file and line is no YAML without quoting it', () => {
    expect(() => findCredentials('a: "hunter2\n', 'f.yaml')).toThrow(
      /^f\.yaml: not valid YAML at line/,
    );
    expect(() => findCredentials('a: "hunter2\n', 'f.yaml')).not.toThrow(/hunter2/);
  });
});

describe('selectCredential', () => {
  const two = findCredentials(
    `${MAKER}---\n${MAKER.split('---\n')[1]?.replace('maker ', 'taker ')}`,
    'f',
  );

  it.each([
    ['several and no name', two, undefined, /several ExchangeCredentials \(maker, taker\)/],
    ['a name that is not there', two, 'x', /no ExchangeCredential named x; found maker, taker/],
    ['none at all', [], undefined, /no ExchangeCredential found/],
  ])('refuses %s', (_, credentials, name, message) => {
    expect(() => selectCredential(credentials, 'f', name)).toThrow(message);
  });

  it('picks by name', () => {
    expect(selectCredential(two, 'f', 'taker').index).toBe(2);
  });
});

describe('resealFields', () => {
  const applied = { privateKey: 'eyJvbGQ.a.b.c.d' };
  const resealed = { privateKey: 'eyJuZXc.1.2.3.4' };

  it('replaces the ciphertexts that are applied, and nothing else', () => {
    expect(resealFields(MAKER, 'f', 1, applied, resealed)).toBe(
      MAKER.replace('eyJvbGQ.a.b.c.d', 'eyJuZXc.1.2.3.4'),
    );
  });

  it('never replaces a value that was sealed into the file since', () => {
    const newer = setSealedField(MAKER, 'f', 1, 'privateKey', 'eyJuZXdlcg.a.b.c.d');
    expect(() => resealFields(newer, 'f', 1, applied, resealed)).toThrow(
      /spec\.source\.sealed\.privateKey differs from what is applied/,
    );
  });

  it('adds no field that the file has not', () => {
    const more = { ...resealed, passphrase: 'eyJ' };
    const both = { ...applied, passphrase: 'eyJ.o.l.d' };
    expect(() => resealFields(MAKER, 'f', 1, both, more)).toThrow(/passphrase differs/);
  });
});

describe('setSealedField', () => {
  it('replaces a value and nothing else', () => {
    expect(setSealedField(MAKER, 'f', 1, 'privateKey', 'eyJuZXc.1.2.3.4')).toBe(
      MAKER.replace('eyJvbGQ.a.b.c.d', 'eyJuZXc.1.2.3.4'),
    );
  });

  it('adds a field below the others, behind their comments', () => {
    expect(setSealedField(MAKER, 'f', 1, 'passphrase', 'eyJ')).toBe(
      MAKER.replace('# 2026-01-01\n', '# 2026-01-01\n      passphrase: eyJ\n'),
    );
  });

  it.each([
    ['no source', ''],
    ['an empty source', '  source:\n'],
    ['a source of braces', '  source: {}\n'],
    ['an empty mapping', '  source:\n    sealed: {}\n'],
    ['a flow mapping', '  source:\n    sealed: { apiKey: eyJ }\n'],
    ['a quoted value', '  source:\n    sealed:\n      privateKey: "old"\n'],
    [
      'a folded value',
      '  source:\n    sealed:\n      privateKey: >-\n        old\n        older\n',
    ],
    ['a key without value', '  source:\n    sealed:\n      privateKey:\n'],
  ])('seals into %s', (_, source) => {
    const text = MAKER.replace(/ {2}source:\n(.*\n){3}/, source);
    const result = setSealedField(text, 'f', 1, 'privateKey', 'eyJuZXc');
    const document = [...parseAllDocuments(result)][1];
    expect(document?.errors).toEqual([]);
    expect(document?.getIn(['spec', 'source', 'sealed', 'privateKey'])).toBe('eyJuZXc');
    expect(document?.getIn(['spec', 'delivery', 'secret', 'name'])).toBe('maker');
    expect(document?.getIn(['metadata', 'namespace'])).toBe('trading');
    expect(result).toContain('# the quoting bot');
  });

  it('refuses a second source', () => {
    const text = MAKER.replace(/sealed:\n(.*\n){2}/, 'generate: {}\n');
    expect(() => setSealedField(text, 'f', 1, 'privateKey', 'x')).toThrow(
      /spec\.source\.generate is set/,
    );
  });

  it('leaves every other line alone, whatever fields are there', () => {
    const field = fc.stringMatching(/^[a-z][a-zA-Z]{0,12}$/);
    const token = fc.stringMatching(/^eyJ[A-Za-z0-9_-]{1,40}$/);
    fc.assert(
      fc.property(
        fc.dictionary(field, token, { minKeys: 1, maxKeys: 5 }),
        field,
        token,
        (map, name, value) => {
          const lines = Object.entries(map).map(([k, v]) => `      ${k}: ${v} # of ${k}\n`);
          const text = MAKER.replace(/( {4}sealed:\n)(.*\n){2}/, `$1${lines.join('')}`);
          const result = setSealedField(text, 'f', 1, name, value);
          const before = text.split('\n');
          const changed = result.split('\n').filter((line) => !before.includes(line));
          expect(changed.length).toBeLessThanOrEqual(1);
          expect([...parseAllDocuments(result)][1]?.getIn(['spec', 'source', 'sealed', name])).toBe(
            value,
          );
        },
      ),
    );
  });
});
