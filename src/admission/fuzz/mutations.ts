/** Changes to reviews that no API server makes: to their JSON, and to the bytes of it. */
import fc from 'fast-check';
import type { Json } from './reviews.ts';

const WORDS: readonly string[] = [
  '',
  'CREATE',
  'UPDATE',
  'DELETE',
  'CONNECT',
  'create',
  'PATCH',
  'pods',
  'secrets',
  'Pod',
  'v1',
  'v2',
  'v1alpha1',
  'strongroom.dev',
  'trading',
  'open',
  'kube-system',
  'maker',
  'system:masters',
  'system:serviceaccount:strongroom:strongroom-operator',
  // Look-alikes: Cyrillic, full width, zero width, another normal form.
  '\u0430lice',
  'ｍaker',
  'alice\u200b',
  'e\u0301',
  '\ud800',
  '\u0000',
  '../../secrets',
  'x'.repeat(5000),
];

const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'allowed',
  'status',
  'subResource',
  'namespace',
  'secretName',
  'Object',
  'strongroom.dev/credential',
  'strongroom.dev/guarded',
  '',
];

const deep = (levels: number): unknown => {
  let value: unknown = 'end';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 1e308, [], {}, [null], { name: 1 }),
  fc.constantFrom<unknown>(...WORDS),
  fc.constantFrom(5, 127, 200).map(deep),
  fc.constant(Array.from({ length: 300 }, () => ({ name: 'maker' }))),
);

type Edit = (at: { readonly parent: unknown; readonly key: string | number }) => void;

const edits: fc.Arbitrary<Edit> = fc.oneof(
  {
    arbitrary: odd.map(
      (value): Edit =>
        ({ parent, key }) =>
          set(parent, key, value),
    ),
    weight: 4,
  },
  fc.constant<Edit>(({ parent, key }) => {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else delete (parent as Record<string, unknown>)[key];
  }),
  fc.constant<Edit>(({ parent, key }) => {
    if (Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
  }),
  // JSON knows no named member of a list.
  fc.tuple(fc.constantFrom(...KEYS), odd).map(([name, value]): Edit => ({ parent }) => {
    if (!Array.isArray(parent)) set(parent, name, value);
  }),
  // One level deeper, as a list and as an object.
  fc.constant<Edit>(({ parent, key }) => set(parent, key, [get(parent, key)])),
  fc.constant<Edit>(({ parent, key }) => set(parent, key, { [key]: get(parent, key) })),
  fc.constantFrom(...KEYS).map((name): Edit => ({ parent, key }) => {
    if (Array.isArray(parent)) return;
    const record = parent as Record<string, unknown>;
    set(record, name, record[key]);
    delete record[key];
  }),
  fc.constant<Edit>(({ parent, key }) => {
    if (!Array.isArray(parent)) set(parent, String(key).toUpperCase(), get(parent, key));
  }),
);

function get(parent: unknown, key: string | number): unknown {
  return (parent as Record<string | number, unknown>)[key];
}

/** Own, whatever the name is: as JSON.parse makes it. */
function set(parent: unknown, key: string | number, value: unknown): void {
  Object.defineProperty(parent, key, {
    value: structuredClone(value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** A few edits at random places of a copy. */
export const mutateJson: fc.Arbitrary<(review: Json) => unknown> = fc
  .array(fc.tuple(fc.nat(), edits), { minLength: 1, maxLength: 4 })
  .map((list) => (review: Json) => {
    const copy: unknown = structuredClone(review);
    for (const [place, edit] of list) {
      const places = placesOf(copy);
      const at = places[place % places.length];
      if (at !== undefined) edit(at);
    }
    return copy;
  });

/** One of the reviews; asked by who asked another one, or with a member of the request of that. */
export function mixed(list: readonly Json[]): fc.Arbitrary<Json> {
  const some = fc.constantFrom(...list);
  const members = fc.oneof(fc.constant(['userInfo']), fc.constant([]), fc.tuple(fc.nat()));
  return fc.tuple(some, some, members).map(([one, other, taken]) => {
    const there = Object(other['request']) as Json;
    const names = Object.keys(there);
    const request = { ...(Object(one['request']) as Json) };
    for (const member of taken) {
      const name = typeof member === 'number' ? (names[member % names.length] ?? '') : member;
      request[name] = there[name];
    }
    return { ...one, request };
  });
}

function placesOf(root: unknown): readonly { parent: unknown; key: string | number }[] {
  const found: { parent: unknown; key: string | number }[] = [];
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const key of Object.keys(value)) {
      found.push({ parent: value, key });
      // A book of the API server that no rule reads, and longer than all the rest.
      if (found.length < 5000 && key !== 'managedFields') open.push(get(value, key));
    }
  }
  return found;
}

/** What becomes of the text on its way. */
export const mutateBytes: fc.Arbitrary<(text: string) => Uint8Array> = fc.oneof(
  fc.nat().map((at) => (text: string) => Buffer.from(text.slice(0, at % (text.length + 1)))),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (text: string) => {
    const bytes = Buffer.from(text);
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 8 })).map(([at, more]) => (text: string) => {
    const bytes = Buffer.from(text);
    const place = at % bytes.length;
    return Buffer.concat([bytes.subarray(0, place), more, bytes.subarray(place)]);
  }),
  fc.constant((text: string) => Buffer.from(`\ufeff${text}`)),
  fc.constant((text: string) => Buffer.from(text, 'utf16le')),
  fc.constant((text: string) => Buffer.from(text + text)),
  fc.constant((text: string) => Buffer.from(`[${text}]`)),
  // A member twice: the one that counts for the API server is the last.
  fc
    .constantFrom(
      '"operation":"CONNECT",',
      '"namespace":"open",',
      '"uid":"another",',
      '"object":{},',
    )
    .map((member) => (text: string) => Buffer.from(text.replace('"name":', `${member}"name":`))),
  fc
    .constantFrom('"operation":"CREATE"', '"namespace":"open"', '"uid":"another"', '"object":{}')
    .map((member) => (text: string) => Buffer.from(text.replace(/\}\}$/, `,${member}}}`))),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => () => bytes),
);
