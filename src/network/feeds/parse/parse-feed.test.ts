import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet } from '../../cidr/address-set.ts';
import { PRIVATE_RANGES } from '../../cidr/special-ranges.ts';
import type { FeedFormat } from '../feed.ts';
import { createFeedParser, parseFeed } from './parse-feed.ts';
import type { ParsedFeed } from './parsed-feed.ts';

function cidrsOf(parsed: ParsedFeed): readonly string[] {
  if (!parsed.ok) throw new Error(`refused: ${parsed.message}`);
  return parsed.items.map(({ cidr }) => cidr);
}

function countsOf(parsed: ParsedFeed): unknown {
  if (!parsed.ok) throw new Error(`refused: ${parsed.message}`);
  return parsed.counts;
}

const METADATA = '{"type":"metadata","timestamp":1790072042,"size":10,"records":2}';
const DROP_JSON = [
  '{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}',
  '{"cidr":"2a06:e480::/29","sblid":"SBL301771","rir":"ripencc"}',
  METADATA,
  '',
].join('\n');

const NETSET = `#
# firehol_level1
#
1.10.16.0/20
5.8.37.7

2a06:e480::/29 # with a comment
`;

function decision(over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    id: 7,
    duration: '3h59m57.6s',
    origin: 'CAPI',
    scenario: 'ssh:bruteforce',
    scope: 'Ip',
    type: 'ban',
    value: '5.8.37.7',
    ...over,
  };
}

function stream(fresh: unknown, deleted: unknown = null): string {
  return JSON.stringify({ new: fresh, deleted });
}

describe('what each format holds', () => {
  it.each<[string, FeedFormat, string, readonly string[]]>([
    ['a netset', 'Netset', NETSET, ['1.10.16.0/20', '5.8.37.7/32', '2a06:e480::/29']],
    ['line ends of Windows', 'Netset', '1.1.1.0/24\r\n8.8.8.8\r\n', ['1.1.1.0/24', '8.8.8.8/32']],
    ['a byte order mark', 'Plain', '\uFEFF8.8.8.8\n', ['8.8.8.8/32']],
    ['no newline at the end', 'Netset', '1.1.1.0/24\n8.8.8.8', ['1.1.1.0/24', '8.8.8.8/32']],
    ['DROP in JSON', 'SpamhausDrop', DROP_JSON, ['1.10.16.0/20', '2a06:e480::/29']],
    [
      'DROP as text',
      'SpamhausDrop',
      '; Spamhaus DROP List\n; Expires: …\n1.10.16.0/20 ; SBL256894\n1.19.0.0/16 ; SBL434604\n',
      ['1.10.16.0/20', '1.19.0.0/16'],
    ],
    [
      'a plain list',
      'Plain',
      '// a\n; b\n# c\n5.8.37.7\tscanner\n1.10.16.0/20;x\n8.8.8.8#y\n9.9.9.9 # z\n',
      ['1.10.16.0/20', '5.8.37.7/32', '8.8.8.8/32', '9.9.9.9/32'],
    ],
    [
      'neighbours and duplicates, joined',
      'Plain',
      '5.8.36.0/24\n5.8.37.0/24\n5.8.37.7\n5.8.37.7\n',
      ['5.8.36.0/23'],
    ],
    [
      'decisions',
      'CrowdSec',
      stream([decision(), decision({ scope: 'Range', value: '1.10.16.0/20' })]),
      ['5.8.37.7/32', '1.10.16.0/20'],
    ],
    ['no decisions at all, which is no fault', 'CrowdSec', stream(null), []],
  ])('%s', (_, format, text, expected) => {
    expect(cidrsOf(parseFeed(format, text))).toEqual(expected);
  });
});

describe('entries that are put right or left out', () => {
  it.each<[string, string, readonly string[], { corrected: number; skipped: number }]>([
    ['host bits', '5.8.37.7/24', ['5.8.37.0/24'], { corrected: 1, skipped: 0 }],
    ['leading zeros', '005.008.037.007', ['5.8.37.7/32'], { corrected: 1, skipped: 0 }],
    ['IPv4 written as IPv6', '::ffff:5.8.37.7', ['5.8.37.7/32'], { corrected: 1, skipped: 0 }],
    ['long IPv6', '2A06:E480:0:0::/29', ['2a06:e480::/29'], { corrected: 0, skipped: 0 }],
    ['a private range', '10.0.0.0/8', [], { corrected: 0, skipped: 1 }],
    ['a private address in IPv6', '::ffff:192.168.0.1', [], { corrected: 0, skipped: 1 }],
    ['unique local', 'fd00::/8', [], { corrected: 0, skipped: 1 }],
    ['loopback', '127.0.0.1', [], { corrected: 0, skipped: 1 }],
    ['multicast and reserved at once', '224.0.0.0/3', [], { corrected: 0, skipped: 1 }],
    ['metadata of a cloud', '169.254.169.254', [], { corrected: 0, skipped: 1 }],
    ['a zone', 'fe80::1%eth0', [], { corrected: 0, skipped: 1 }],
    ['a zone at a public address', '2001:470::1%2', [], { corrected: 0, skipped: 1 }],
    ['everything', '0.0.0.0/0', [], { corrected: 0, skipped: 1 }],
    ['everything in IPv6', '::/0', [], { corrected: 0, skipped: 1 }],
    ['wider than /8', '64.0.0.0/7', [], { corrected: 0, skipped: 1 }],
    ['as wide as /8', '8.0.0.0/8', ['8.0.0.0/8'], { corrected: 0, skipped: 0 }],
    ['wider than /19 in IPv6', '2a00::/18', [], { corrected: 0, skipped: 1 }],
    ['as wide as /19 in IPv6', '2a00::/19', ['2a00::/19'], { corrected: 0, skipped: 0 }],
    ['partly private', '192.168.0.0/15', ['192.169.0.0/16'], { corrected: 1, skipped: 0 }],
  ])('%s: %s', (_, entry, expected, { corrected, skipped }) => {
    const parsed = parseFeed('Plain', `9.9.9.9\n${entry}\n`);
    expect(cidrsOf(parsed).filter((cidr) => cidr !== '9.9.9.9/32')).toEqual(expected);
    expect(countsOf(parsed)).toEqual(expect.objectContaining({ corrected, skipped }));
  });

  it('says of the first few in which line they stand', () => {
    const lines = ['# head', '8.8.8.8', '10.0.0.0/8', 'fe80::1%eth0', '0.0.0.0/0', '9.9.9.9/33'];
    const more = Array.from({ length: 20 }, (_, index) => `9.9.${index * 2}.9`);
    const parsed = parseFeed('Netset', [...lines, ...more, ...more].join('\n'));
    expect(countsOf(parsed)).toEqual({
      entries: 41,
      corrected: 0,
      skipped: 4,
      skippedSamples: [
        'line 3 (10.0.0.0/8) is private or reserved',
        'line 4 has a zone, which means something on one machine alone',
        'line 5 (0.0.0.0/0) is wider than /8 (IPv4) or /19 (IPv6)',
        'line 6 is neither an address nor a CIDR',
      ],
    });
  });

  it.each([
    ['a captcha', decision({ type: 'captcha' })],
    ['a country', decision({ scope: 'Country', value: 'CN' })],
    ['a user', decision({ scope: 'username', value: 'root' })],
    ['a simulation', decision({ simulated: true })],
    ['what has run out', decision({ duration: '-5m0s' })],
    ['a private address', decision({ value: '10.0.0.7' })],
  ])('takes no decision on %s', (_, unwanted) => {
    const parsed = parseFeed('CrowdSec', stream([decision({ value: '9.9.9.9' }), unwanted]));
    expect(cidrsOf(parsed)).toEqual(['9.9.9.9/32']);
  });

  it('tells what a delta takes back, and only bans', () => {
    const text = stream(null, [
      decision({ duration: '-1h0m0s' }),
      decision({ value: '9.9.9.9', type: 'captcha' }),
      decision({ value: '1.10.16.1/20', scope: 'range' }),
    ]);
    const parsed = parseFeed('CrowdSec', text);
    expect(parsed).toEqual(
      expect.objectContaining({ ok: true, removed: ['5.8.37.7/32', '1.10.16.0/20'] }),
    );
  });

  it('keeps how long a decision lasts', () => {
    expect(parseFeed('CrowdSec', stream([decision()]))).toEqual(
      expect.objectContaining({ items: [{ cidr: '5.8.37.7/32', durationMs: 14_397_600 }] }),
    );
  });
});

describe('answers that are no list', () => {
  const html = '\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n';
  const good = Array.from({ length: 8 }, (_, index) => `9.9.${index}.0/24`);
  it.each<[string, FeedFormat, string, string, RegExp]>([
    ['nothing', 'Netset', '', 'Empty', /answers with nothing/],
    ['blank lines', 'Plain', '\n \n\t\n', 'Empty', /answers with nothing/],
    ['nothing, of CrowdSec', 'CrowdSec', ' ', 'Empty', /answers with nothing/],
    ['comments alone', 'Netset', '# empty today\n', 'NoAddress', /nothing but comments/],
    ['private ranges alone', 'Plain', '10.0.0.0/8\n', 'NoAddress', /line 1 .*private/],
    ['a web page', 'Netset', html, 'Html', /web page/],
    ['a web page for JSON', 'SpamhausDrop', html, 'Html', /web page/],
    ['a web page for CrowdSec', 'CrowdSec', html, 'Html', /web page/],
    ['a compressed file', 'Plain', '\u001f\uFFFD\b\0', 'NoText', /compressed/],
    ['junk', 'Plain', 'hello\nworld\n', 'Junk', /2 of 2 entries are none \(line 1 /],
    ['a quarter junk', 'Plain', [...good, 'x', 'y', 'z'].join('\n'), 'Junk', /3 of 11/],
    ['addresses behind commas', 'Netset', '1.1.1.1,US\n8.8.8.8,US\n', 'Junk', /2 of 2/],
    ['one endless line', 'Plain', 'x'.repeat(100_000), 'Junk', /longer than any entry/],
    ['JSON of something else', 'SpamhausDrop', `{"asn":1}\n{"asn":2}\n${METADATA}`, 'Junk', /cidr/],
    [
      'JSON cut off inside a line',
      'SpamhausDrop',
      DROP_JSON.slice(0, 80),
      'Truncated',
      /last line is no whole JSON/,
    ],
    [
      'JSON cut off between lines',
      'SpamhausDrop',
      DROP_JSON.split('\n').slice(0, 2).join('\n'),
      'Truncated',
      /metadata line/,
    ],
    [
      'JSON with fewer records than it tells',
      'SpamhausDrop',
      DROP_JSON.split('\n').slice(1).join('\n'),
      'Truncated',
      /1 records of 2/,
    ],
    ['decisions cut off', 'CrowdSec', stream([decision()]).slice(0, 60), 'Truncated', /no end/],
    ['no JSON', 'CrowdSec', '{"new": nope}', 'Junk', /no JSON/],
    ['text', 'CrowdSec', '5.8.37.7\n', 'Junk', /no JSON/],
    ['an error in JSON', 'CrowdSec', '{"message":"access forbidden"}', 'Junk', /no stream/],
    ['half a stream', 'CrowdSec', '{"new":[]}', 'Junk', /no stream/],
    ['a list of strings', 'CrowdSec', stream(['5.8.37.7']), 'Junk', /no stream/],
    [
      'decisions without a value',
      'CrowdSec',
      stream([{ ...decision(), value: 5 }]),
      'Junk',
      /1 of 1/,
    ],
  ])('refuses %s', (_, format, text, fault, message) => {
    expect(parseFeed(format, text)).toEqual({
      ok: false,
      fault,
      message: expect.stringMatching(message) as string,
    });
  });

  it('takes a list of which a fifth is junk', () => {
    expect(cidrsOf(parseFeed('Plain', [...good, 'x', 'y'].join('\n')))).toEqual(['9.9.0.0/21']);
  });

  it.each<[FeedFormat, string]>([
    ['Plain', '1.1.1.1\n2.2.2.2\n3.3.3.3\n'],
    ['Netset', '1.1.1.1\njunk\n10.0.0.1\n'],
    ['SpamhausDrop', DROP_JSON.replace(METADATA, `{"cidr":"9.9.9.0/24"}\n${METADATA}`)],
    ['CrowdSec', stream([decision(), decision(), decision()])],
  ])('refuses more entries than it may have: %s', (format, text) => {
    expect(parseFeed(format, text, 2)).toEqual({
      ok: false,
      fault: 'TooManyEntries',
      message: 'has more than 2 entries; raise spec.feed.maxEntries if that is meant',
    });
  });

  it('stops reading once it is refused', () => {
    const page = createFeedParser('Netset');
    expect(page.push('<html>\n')).toBe(false);
    const long = createFeedParser('Plain', 10);
    expect(long.push('1.1.1.1\n'.repeat(10))).toBe(true);
    expect(long.push('1.1.1.1\n')).toBe(false);
  });
});

describe('properties', () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const ipv4 = fc
    .tuple(
      fc.oneof(octet, fc.constantFrom(10, 100, 127, 169, 172, 192, 198, 224)),
      octet,
      octet,
      octet,
    )
    .map((octets) => octets.join('.'));
  const ipv6 = fc.oneof(fc.ipV6(), fc.constantFrom('fc00::', 'fe80::1', '::1', '64:ff9b::a00:1'));
  const entry = fc.oneof(
    fc
      .tuple(ipv4, fc.integer({ min: 0, max: 32 }))
      .map(([address, length]) => `${address}/${length}`),
    fc
      .tuple(ipv6, fc.integer({ min: 0, max: 128 }))
      .map(([address, length]) => `${address}/${length}`),
    ipv4,
    ipv6,
    ipv4.map((address) => `::ffff:${address}`),
  );
  /** Of each, a part is private. */
  const PARTLY = ['192.168.0.0/15', '100.0.0.0/8', '172.0.0.0/8', '198.16.0.0/13', '64:ff9b::/32'];
  const entries = fc.array(fc.oneof({ weight: 4, arbitrary: entry }, fc.constantFrom(...PARTLY)), {
    minLength: 1,
    maxLength: 40,
  });

  it.each<[FeedFormat, (list: readonly string[]) => string]>([
    ['Netset', (list) => list.join('\n')],
    ['Plain', (list) => list.join('\n')],
    [
      'SpamhausDrop',
      (list) => [...list.map((cidr) => JSON.stringify({ cidr })), METADATA].join('\n'),
    ],
    ['CrowdSec', (list) => stream(list.map((value) => decision({ value, scope: 'Range' })))],
  ])('%s: no feed ever yields an address that is private', (format, write) => {
    let partly = 0;
    let taken = 0;
    fc.assert(
      fc.property(entries, (list) => {
        const parsed = parseFeed(format, write(list));
        if (!parsed.ok) return;
        taken += parsed.items.length;
        partly += list.filter((text) => PARTLY.includes(text)).length;
        expect(addressSet(cidrsOf(parsed)).intersects(PRIVATE_RANGES)).toBe(false);
      }),
      { numRuns: 300 },
    );
    expect(taken).toBeGreaterThan(500);
    expect(partly).toBeGreaterThan(100);
  });

  it('reads the same however the text is cut into chunks', () => {
    fc.assert(
      fc.property(entries, fc.array(fc.nat(1500), { maxLength: 8 }), (list, cuts) => {
        const text = list.join('\r\n');
        const parser = createFeedParser('Plain');
        const edges = [0, ...cuts.filter((at) => at < text.length).toSorted((a, b) => a - b)];
        for (const [index, at] of edges.entries()) parser.push(text.slice(at, edges[index + 1]));
        expect(parser.end()).toEqual(parseFeed('Plain', text));
      }),
    );
  });
});
