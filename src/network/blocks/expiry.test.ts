import { describe, expect, it } from 'vitest';
import { expiryOf } from './expiry.ts';

const CREATED = '2026-11-24T12:00:00Z';

describe('expiryOf', () => {
  it.each([
    [{}, CREATED, undefined],
    [{ duration: '24h' }, CREATED, '2026-11-25T12:00:00Z'],
    [{ duration: '1h30m' }, CREATED, '2026-11-24T13:30:00Z'],
    [{ duration: '90m' }, CREATED, '2026-11-24T13:30:00Z'],
    [{ duration: '1s' }, '2020-01-01T00:00:00Z', '2020-01-01T00:00:01Z'],
    [{ duration: '24h' }, undefined, undefined],
    [{ expiresAt: '2026-12-01T00:00:00Z' }, CREATED, '2026-12-01T00:00:00Z'],
    [{ expiresAt: '2026-12-01T01:00:00+01:00' }, CREATED, '2026-12-01T00:00:00Z'],
    [{ expiresAt: '2026-12-01T00:00:00Z' }, undefined, '2026-12-01T00:00:00Z'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, CREATED, '2020-01-01T00:00:00Z'],
  ])('%j, created %s: %s', (spec, creationTimestamp, expected) => {
    const metadata = creationTimestamp === undefined ? {} : { creationTimestamp };
    expect(expiryOf({ spec, metadata })).toBe(
      expected === undefined ? undefined : Date.parse(expected),
    );
  });

  it.each([
    [{ duration: '1 day' }, CREATED],
    [{ duration: '1 day' }, undefined],
    [{ expiresAt: 'tomorrow' }, CREATED],
    [{ duration: '1h' }, 'yesterday'],
  ])('refuses %j, created %s, rather than block for ever', (spec, creationTimestamp) => {
    const metadata = creationTimestamp === undefined ? {} : { creationTimestamp };
    expect(() => expiryOf({ spec, metadata })).toThrow(/no time: |not a duration: /);
  });
});
