import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oddityOf, skeletonOf } from './look-alikes.ts';

describe('skeletonOf', () => {
  it.each([
    ['alice', 'Alice'],
    ['alice', '\u0430lice'],
    ['alice', 'ali\u0441e'],
    ['alice', '\u0430\u04CF\u0456\u0441\u0435'],
    ['MAKER', '\u039C\u0391\u039A\u0395R'],
    ['trader', 'tr\u03B1der'],
    ['alice', '\uFF41\uFF4C\uFF49\uFF43\uFF45'],
    ['alice', 'al\u200Bice'],
    ['alice', 'alice\u202E'],
    ['office', 'o\uFB03ce'],
    ['alice', ' alice '],
    ['desk mm', 'desk\u00A0mm'],
    ['müller', 'mu\u0308ller'],
  ])('%j and %j read the same', (one, other) => {
    expect(skeletonOf(other)).toBe(skeletonOf(one));
  });

  it.each([
    ['alice', 'alicia'],
    ['desk-mm', 'desk-mn'],
    ['muller', 'müller'],
    ['иван', 'иванов'],
  ])('%j and %j do not', (one, other) => {
    expect(skeletonOf(other)).not.toBe(skeletonOf(one));
  });

  it('is its own skeleton, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(skeletonOf(skeletonOf(name))).toBe(skeletonOf(name));
      }),
    );
  });
});

describe('oddityOf', () => {
  it.each(['alice', 'alice@example.com', 'desk-mm', 'oidc:Desk MM', 'müller', 'иван', 'δοκιμή'])(
    'finds nothing odd about %s',
    (name) => {
      expect(oddityOf(name)).toBeUndefined();
    },
  );

  it.each([
    ['ali\u0441e', 'mixes Latin and Cyrillic letters (U+0441)'],
    ['tr\u03B1der', 'mixes Latin and Greek letters (U+03B1)'],
    ['desk-\u0430\u0441\u0435', 'reads as “desk-ace” (U+0430, U+0441, U+0435)'],
    ['\uFF41lice', 'reads as “alice” (U+FF41)'],
    ['al\u200Bice', 'has characters that nobody sees (U+200B)'],
    ['mu\u0308ller', 'has letters that are written in more than one way (U+0308)'],
    ['alice ', 'has spaces that are easily overlooked'],
  ])('%j %s', (name, oddity) => {
    expect(oddityOf(name)).toBe(oddity);
  });
});
