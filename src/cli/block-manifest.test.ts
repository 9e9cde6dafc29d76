import { describe, expect, it } from 'vitest';
import { validateIPBlock } from '#api/validate.ts';
import { blockOf, generatedName } from './block-manifest.ts';
import type { BlockWish } from './block-manifest.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');

function wish(about: Partial<BlockWish> = {}): BlockWish {
  return { addresses: ['198.51.100.0/24'], reason: 'credential stuffing', ...about };
}

describe('blockOf', () => {
  it('writes what is asked for, and no field beside it', () => {
    expect(blockOf(wish(), NOW)).toEqual({
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'IPBlock',
      metadata: { name: '198-51-100-0-24-2026-11-26' },
      spec: { cidrs: ['198.51.100.0/24'], reason: 'credential stuffing' },
    });
  });

  it.each<readonly [string, Partial<BlockWish>, Record<string, unknown>]>([
    ['a duration', { for: '24h' }, { duration: '24h' }],
    ['an end', { until: '2027-01-31T18:00:00+01:00' }, { expiresAt: '2027-01-31T18:00:00+01:00' }],
    ['a direction', { direction: 'Egress' }, { direction: 'Egress' }],
    ['namespaces', { namespace: ['trading'] }, { scope: { namespaces: ['trading'] } }],
    [
      'namespaces and the gateway',
      { namespace: ['trading'], gateway: true },
      { scope: { namespaces: ['trading'], gateway: true } },
    ],
    ['observing', { observe: true }, { mode: 'Observe' }],
    ['an owner', { owner: 'sofia' }, { owner: 'sofia' }],
    ['a very long owner', { owner: 'x'.repeat(300) }, { owner: 'x'.repeat(128) }],
    [
      'a wide ban that is meant',
      { addresses: ['64.0.0.0/6'], acknowledgeWideBan: true },
      { cidrs: ['64.0.0.0/6'], acknowledgeWideBan: true },
    ],
    [
      'addresses in any spelling that is clear',
      { addresses: ['203.0.113.7', '203.0.113.7/32', '2001:DB8:0:0::1', '2001:db8::/48'] },
      { cidrs: ['203.0.113.7', '2001:db8::1', '2001:db8::/48'] },
    ],
  ])('takes %s', (_, about, spec) => {
    const block = blockOf(wish(about), NOW);
    expect(block.spec).toEqual({
      cidrs: ['198.51.100.0/24'],
      reason: 'credential stuffing',
      ...spec,
    });
    expect(validateIPBlock(block)).toEqual([]);
  });

  it.each<readonly [string, Partial<BlockWish>, string]>([
    ['host bits', { addresses: ['198.51.100.7/24'] }, '198.51.100.0/24 is meant?'],
    ['leading zeros', { addresses: ['198.051.100.7'] }, '"198.051.100.7"'],
    ['a name', { addresses: ['evil.example'] }, '"evil.example"'],
    ['a zone', { addresses: ['fe80::1%eth0'] }, 'fe80::1 is meant?'],
    ['no reason', { reason: '  ' }, '--reason is empty'],
    ['a reason in two lines', { reason: 'one\ntwo' }, 'spec.reason'],
    ['two ends', { for: '1h', until: '2027-01-31T18:00:00Z' }, 'either --for or --until'],
    ['days', { for: '7d' }, '--for wants a duration'],
    ['no time at all', { for: '0s' }, '--for wants a duration'],
    ['a day', { until: '2027-01-31' }, '--until wants a time'],
    ['a day that does not exist', { until: '2027-02-30T00:00:00Z' }, '--until wants a time'],
    ['the past', { until: '2026-11-26T11:59:59Z' }, 'is over'],
    ['a wide ban', { addresses: ['64.0.0.0/6'] }, '--acknowledge-wide-ban'],
    [
      'a wide ban in two halves',
      { addresses: ['64.0.0.0/8', '65.0.0.0/8'] },
      '64.0.0.0/7 is wider',
    ],
    ['the gateway of all', { gateway: true }, '--gateway goes with --namespace'],
    ['a bad name', { name: 'No_Name' }, 'metadata.name'],
    ['a bad namespace', { namespace: ['No_Name'] }, 'spec.scope.namespaces'],
  ])('refuses %s, and says what to do', (_, about, message) => {
    expect(() => blockOf(wish(about), NOW)).toThrow(message);
  });
});

describe('generatedName', () => {
  it.each([
    [['198.51.100.7'], '198-51-100-7-2026-11-26'],
    [['2001:db8::/48'], '2001-db8-48-2026-11-26'],
    [['::/0'], '0-2026-11-26'],
    [['198.51.100.7', '203.0.113.7', '203.0.113.8'], '198-51-100-7-and-2-more-2026-11-26'],
  ])('of %j is %s', (cidrs, name) => {
    expect(generatedName(cidrs, NOW)).toBe(name);
  });
});
