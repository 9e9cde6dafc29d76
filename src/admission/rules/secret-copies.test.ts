import { describe, expect, it } from 'vitest';
import type { UserInfo } from '../request.ts';
import { ALICE, OPERATOR, SETTINGS, credentialOf, requestFor } from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { AdmissionWorld } from '../world.ts';
import type { Verdict } from '../verdict.ts';
import { secretCopyRule } from './secret-copies.ts';

const VALUE = '0x4c0883a69102937d6231471b5dbb6204fe512961';
const PEM = '-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\n-----END KEY-----\n';
const PADDED = 'c2VjcmV0LXdpdGgtcGFkZGluZw==';

const world = worldOf({
  namespaces: [{ name: 'trading' }, { name: 'elsewhere', isGuarded: false }],
  credentials: [
    credentialOf('maker', {
      delivery: { secret: { name: 'maker-key' } },
      source: { secretRef: { name: 'import-me' } },
    }),
  ],
  values: {
    [VALUE]: 'trading/maker',
    [PEM]: 'trading/tls',
    [PADDED]: 'trading/maker',
    short: 'trading/short',
  },
});

interface Given {
  readonly name?: string;
  readonly namespace?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly before?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly by?: UserInfo;
  readonly in?: AdmissionWorld;
}

function judge(given: Given): Verdict {
  const { name = 'copy', namespace = 'elsewhere', data = {}, before, stringData, by } = given;
  const encoded = (values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
  const metadata = { name, namespace };
  const request = requestFor('secrets', {
    namespace,
    userInfo: by ?? ALICE,
    object: { metadata, data: encoded(data), ...(stringData === undefined ? {} : { stringData }) },
    ...(before === undefined
      ? {}
      : { operation: 'UPDATE', oldObject: { metadata, data: encoded(before) } }),
  });
  return secretCopyRule(request, { world: given.in ?? world, settings: SETTINGS, nowMs: 0 });
}

const FOUND = [
  {
    type: 'ManagedValueCopied',
    message:
      'Secret elsewhere/copy: the value of k is, or has in it, the value of a managed credential',
    credential: 'trading/maker',
  },
];

describe('secretCopyRule', () => {
  it.each([
    ['as it is', VALUE],
    ['with a line break', `${VALUE}\n`],
    ['with white space', `  ${VALUE} `],
    ['in an .env file', `# desk\nHOST=a\nexport KEY=${VALUE}\nPORT=1`],
    ['in an .env file of Windows', `HOST=a\r\nKEY=${VALUE}\r\n`],
    ['in quotes', `KEY="${VALUE}"`],
    ['in single quotes', `KEY='${VALUE}'`],
    ['in YAML', `a: b\nkey: ${VALUE}\n`],
    ['in JSON', `{\n  "key": "${VALUE}",\n  "a": 1\n}`],
    ['on a line of its own', `a\n${VALUE}\nb`],
    ['as base64', Buffer.from(VALUE).toString('base64')],
    ['as base64 in an .env file', `KEY=${Buffer.from(VALUE).toString('base64')}`],
    ['with padding in an .env file', `KEY=${PADDED}`],
  ])('finds a value %s, and refuses nothing', (_how, value) => {
    expect(judge({ data: { k: value } })).toEqual({ allowed: true, findings: FOUND });
  });

  it('finds a value of several lines', () => {
    for (const value of [PEM, PEM.trim(), `\n${PEM}\n`]) {
      expect(judge({ data: { k: value } }).findings).toMatchObject([{ credential: 'trading/tls' }]);
    }
  });

  it('looks at stringData too', () => {
    expect(judge({ stringData: { k: VALUE } }).findings).toEqual(FOUND);
  });

  it('tells each key and credential once', () => {
    const { findings = [] } = judge({ data: { a: `${VALUE}\nK=${VALUE}`, b: VALUE } });
    expect(findings).toHaveLength(2);
  });

  it('does not name the credential to whoever may see the copy', () => {
    expect(
      JSON.stringify(judge({ data: { k: VALUE } }).findings?.map(({ message }) => message)),
    ).not.toMatch(/trading|maker|0x4c/);
  });

  it.each<[string, Given]>([
    ['the operator', { data: { k: VALUE }, by: OPERATOR }],
    ['the source of the import', { namespace: 'trading', name: 'import-me', data: { k: VALUE } }],
    ['what is delivered', { namespace: 'trading', name: 'maker-key', data: { k: VALUE } }],
    ['what an update does not change', { data: { k: VALUE, a: '1' }, before: { k: VALUE } }],
    ['short values', { data: { k: 'short' } }],
    ['other values', { data: { k: `${VALUE}0` } }],
    ['values that are too long', { data: { k: `${VALUE}\n${'x'.repeat(65_536)}` } }],
    ['nothing', {}],
  ])('takes no notice of %s', (_what, given) => {
    expect(judge(given)).toEqual({ allowed: true });
  });

  it('finds it in the source of another credential, and when an update brings it in', () => {
    const other = { namespace: 'trading', name: 'import-me', data: { k: PEM } };
    expect(judge(other).findings).toMatchObject([{ credential: 'trading/tls' }]);
    expect(judge({ data: { k: VALUE }, before: { k: 'before' } }).findings).toEqual(FOUND);
  });

  it('bounds the work, whatever is in the Secret', () => {
    let lookups = 0;
    const counting: AdmissionWorld = {
      ...world,
      ownerOfValue: () => {
        lookups += 1;
        return undefined;
      },
    };
    const lines = Array.from({ length: 2000 }, (_, n) => `KEY_${n}=a-long-value-${n}`).join('\n');
    judge({ data: { a: lines, b: lines, c: 'x'.repeat(40) }, in: counting });
    expect(lookups).toBe(256);
  });

  it('bears what is no Secret', () => {
    const broken = requestFor('secrets', { object: { data: [1], stringData: 'none' } });
    expect(secretCopyRule(broken, { world, settings: SETTINGS, nowMs: 0 })).toEqual({
      allowed: true,
    });
  });
});
