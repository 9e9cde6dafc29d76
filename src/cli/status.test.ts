import { describe, expect, it } from 'vitest';
import type { ExchangeCredential, ExchangeCredentialStatus } from '#api/exchange-credential.ts';
import { describeCredential, nextStep, summary } from '#cli/status.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'UpToDate',
  message: 'Version 2 is in Secret maker.',
  lastTransitionTime: '2026-01-01T00:00:00Z',
} as const;

function credential(
  status: ExchangeCredentialStatus | undefined,
  state?: 'Suspended' | 'Revoked',
): ExchangeCredential {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name: 'maker', namespace: 'trading', generation: 3 },
    spec: {
      exchange: 'Other',
      exchangeName: 'Paradex',
      type: 'PrivateKey',
      environment: 'Production',
      owner: 'market-making',
      source: { sealed: { privateKey: 'eyJ' } },
      delivery: { secret: { name: 'maker' } },
      ...(state === undefined ? {} : { state }),
    },
    ...(status === undefined ? {} : { status }),
  };
}

const good: ExchangeCredentialStatus = {
  observedGeneration: 3,
  currentVersion: 2,
  versions: [
    {
      version: 2,
      state: 'Current',
      createdAt: '2026-01-01T00:00:00Z',
      changedAt: '2026-01-01T00:00:00Z',
      origin: 'Sealed',
    },
  ],
  delivery: {
    secretName: 'maker',
    secretUid: 'u',
    version: 2,
    deliveredAt: '2026-01-01T00:00:00Z',
  },
  conditions: [ready],
};

describe('nextStep', () => {
  const held = {
    ...ready,
    type: 'SourceReady',
    status: 'False',
    reason: 'SourceHeld',
    message: 'The source still holds the value that was rolled back.',
  } as const;
  const stale = {
    pod: 'bot',
    podUid: 'p',
    use: 'Environment',
    evidence: 'Stale',
    since: '2026-01-01T00:00:00Z',
  } as const;

  it.each([
    ['nothing seen yet', credential(undefined), /has not seen/],
    ['an older generation seen', credential({ ...good, observedGeneration: 2 }), /has not seen/],
    ['all well', credential(good), /^nothing: it is as it should be$/],
    ['suspended', credential(good, 'Suspended'), /until it is resumed/],
    ['revoked', credential(good, 'Revoked'), /for good/],
    ['a held source', credential({ ...good, conditions: [ready, held] }), /rolled back/],
    [
      'a pod that may not',
      credential({ ...good, consumers: [{ ...stale, withoutRight: true }] }),
      /^delete bot, or let .* without the right$/,
    ],
    ['a stale pod', credential({ ...good, consumers: [stale] }), /restart bot: another version/],
    [
      'a seal key on its way out',
      credential({ ...good, resealed: { keyId: 'k', sealed: {} } }),
      /reseal the manifest/,
    ],
    [
      'not ready',
      credential({ ...good, conditions: [{ ...ready, status: 'False', message: 'why' }] }),
      /^why$/,
    ],
  ])('says what comes next with %s', (_, object, text) => {
    expect(nextStep(object)).toMatch(text);
  });
});

describe('what is shown', () => {
  it('marks pods whose account may not mount the credential', () => {
    const pod = {
      pod: 'bot',
      podUid: 'p',
      use: 'Volume',
      evidence: 'Unknown',
      since: '2026-01-01T00:00:00Z',
    } as const;
    const of = (consumers: ExchangeCredentialStatus['consumers'] = []) =>
      describeCredential(credential({ ...good, consumers }), NOW);
    expect(of([{ ...pod, withoutRight: true }])).toContain('Unknown, without the right');
    expect(of([pod])).not.toContain('without the right');
  });

  it('names the exchange behind Other, the version and its age', () => {
    const text = describeCredential(credential(good), NOW);
    expect(text).toContain('PrivateKey of Paradex');
    expect(text).toContain('2 (Sealed), current for 1h');
    expect(text).toContain('version 2 in Secret maker');
    expect(summary(credential(good))).toMatchObject({ exchange: 'Paradex', currentVersion: 2 });
  });
});
