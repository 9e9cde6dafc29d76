import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { SecretBytes, wipeFields } from '#vault/secret-bytes.ts';

const CANARY = 'canary-5f1d9c';

/** What console.log would write. */
function logged(value: unknown): string {
  const chunks: string[] = [];
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  new Console({ stdout }).log('value', value, [value], new Set([value]));
  return chunks.join('');
}

describe('SecretBytes', () => {
  const secret = SecretBytes.fromUtf8(CANARY);

  it.each([
    // oxlint-disable-next-line typescript/restrict-template-expressions -- what a careless author does
    ['a template', () => `${secret}`],
    ['String()', () => String(secret)],
    ['concatenation', () => 'value: '.concat(secret.toString())],
    ['JSON', () => JSON.stringify({ secret, list: [secret] })],
    ['a pretty JSON', () => JSON.stringify(secret, null, 2)],
    ['util.inspect', () => inspect({ secret }, { depth: 10, showHidden: true })],
    ['util.format %s', () => format('%s %o %O %j', secret, secret, secret, secret)],
    ['an inspected Map', () => inspect(new Map([['apiKey', secret]]), { showHidden: true })],
    ['its own keys', () => JSON.stringify(Object.entries(secret))],
    // oxlint-disable-next-line typescript/no-misused-spread -- the same
    ['a spread', () => JSON.stringify({ ...secret })],
    ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
    [
      'an inspection that skips custom ones',
      () => inspect(secret, { customInspect: false, showHidden: true, getters: true }),
    ],
    ['a copy for another thread', () => serialize(secret).toString('latin1')],
    ['a copy of its properties', () => inspect(Object.assign({}, secret), { showHidden: true })],
    ['console.log', () => logged(secret)],
    ['an error that carries it', () => inspect(new Error('x', { cause: secret }))],
  ])('is not shown by %s', (_, print) => {
    const printed = print();
    expect(printed).not.toContain(CANARY);
    expect(printed).not.toContain(Buffer.from(CANARY).toString('base64'));
    // "canary" as the list of numbers that an inspected buffer would be.
    expect(printed).not.toMatch(/99,? ?97,? ?110|63 61 6e/);
  });

  it('says that there is something, and not what', () => {
    expect([inspect(secret), String(secret), JSON.stringify(secret)]).toEqual([
      '[redacted]',
      '[redacted]',
      '"[redacted]"',
    ]);
  });

  it('copies what it is made from', () => {
    const source = new Uint8Array([1, 2, 3]);
    const copy = SecretBytes.fromBytes(source);
    source.fill(0);
    expect([...copy.bytes()]).toEqual([1, 2, 3]);
  });

  it('has a buffer of its own, not a piece of the shared pool', () => {
    const made = SecretBytes.fromBytes(Buffer.from('abc'));
    expect(made.bytes().buffer.byteLength).toBe(3);
  });

  it('compares', () => {
    expect(secret.equals(SecretBytes.fromUtf8(CANARY))).toBe(true);
    expect(secret.equals(SecretBytes.fromUtf8(`${CANARY}.`))).toBe(false);
    expect(secret.equals(SecretBytes.fromUtf8(CANARY.replace('c', 'd')))).toBe(false);
  });

  it('decodes UTF-8 exactly, a byte order mark included, and refuses anything else', () => {
    expect(SecretBytes.fromUtf8('\uFEFFgrüße').utf8()).toBe('\uFEFFgrüße');
    expect(() => SecretBytes.fromBytes(new Uint8Array([0xff, 0xfe])).utf8()).toThrow(TypeError);
  });

  it('overwrites its bytes when wiped, and is not usable afterwards', () => {
    const wiped = SecretBytes.fromUtf8('abc');
    const view = wiped.bytes();
    wiped.wipe();
    wiped.wipe();
    expect([...view]).toEqual([0, 0, 0]);
    expect(() => wiped.bytes()).toThrow('wiped');
    expect(() => wiped.utf8()).toThrow('wiped');
    expect(() => wiped.equals(secret)).toThrow('wiped');
  });

  it('is wiped at the end of a using block', () => {
    let view: Uint8Array;
    {
      using scoped = SecretBytes.fromUtf8('abc');
      view = scoped.bytes();
      expect([...view]).toEqual([97, 98, 99]);
    }
    expect([...view]).toEqual([0, 0, 0]);
  });

  it('is wiped with all the fields', () => {
    const fields = new Map([['a', SecretBytes.fromUtf8('x')]]);
    wipeFields(fields);
    expect(() => fields.get('a')?.bytes()).toThrow('wiped');
  });
});
