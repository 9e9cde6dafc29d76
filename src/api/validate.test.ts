import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateExchangeCredential } from '#api/validate.ts';
import { BAD, CANARY, GOOD, credential } from '../../test/samples/exchange-credentials.ts';

describe('validateExchangeCredential', () => {
  test.each(Object.entries(GOOD))('finds nothing wrong with %s', (_what, object) => {
    expect(validateExchangeCredential(object)).toEqual([]);
  });

  test.each(BAD)('refuses $what', ({ object, path, message }) => {
    const faults = validateExchangeCredential(object);
    expect(faults).toContainEqual({ path, message: expect.stringContaining(message) });
  });

  test.each(BAD)('repeats no value of $what', ({ object, path }) => {
    const faults = validateExchangeCredential(object).filter((fault) => fault.path !== path);
    const messages = validateExchangeCredential(object).map((fault) => fault.message);
    expect(JSON.stringify([faults, messages]).toLowerCase()).not.toContain(CANARY.toLowerCase());
  });

  test('names every fault of an object, not the first alone', () => {
    const faults = validateExchangeCredential(
      credential({ owner: undefined, state: 'Paused', source: { sealed: { apiKey: 1 } } }),
    );
    expect(faults.map((fault) => fault.path)).toEqual([
      'spec.owner',
      'spec.source.sealed.apiKey',
      'spec.state',
    ]);
  });

  test.each([undefined, null, 5, 'text', [], {}])('refuses %j, which is no object', (object) => {
    expect(validateExchangeCredential(object)).not.toEqual([]);
  });

  test('refuses another kind and another version', () => {
    const object = { ...credential(), apiVersion: 'strongroom.dev/v1', kind: 'AccessPolicy' };
    expect(validateExchangeCredential(object)).toEqual([
      { path: 'apiVersion', message: 'must be one of strongroom.dev/v1alpha1' },
      { path: 'kind', message: 'must be one of ExchangeCredential' },
    ]);
  });

  test.each(['', 'Maker', 'a_b', '-a', 'a'.repeat(254)])('refuses the name %j', (name) => {
    expect(validateExchangeCredential(credential({}, name))).toEqual([
      { path: 'metadata.name', message: expect.stringContaining('lower-case letters') },
    ]);
  });

  test('takes an object as the API server returns it', () => {
    const object = {
      ...credential(),
      metadata: {
        name: 'maker',
        uid: 'e1b0',
        managedFields: [{ manager: 'kubectl' }],
        annotations: { 'strongroom.dev/rotate': '1' },
      },
      status: {
        observedGeneration: 1,
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'Delivered',
            message: '',
            lastTransitionTime: '2026-11-24T17:00:00Z',
          },
        ],
      },
    };
    expect(validateExchangeCredential(object)).toEqual([]);
  });

  test('answers for any JSON at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(validateExchangeCredential(value)).not.toEqual([]);
        expect(() => validateExchangeCredential(credential({ source: value }))).not.toThrow();
      }),
    );
  });

  test('repeats no value, whatever stands wherever', () => {
    const canary = fc.stringMatching(/^[a-z0-9!]{12,20}$/).map((text) => `${CANARY} ${text}`);
    const shape = fc.oneof(
      canary,
      canary.map((text) => [text]),
      canary.map((text) => ({ apiKey: text })),
      canary.map((text) => ({ apiKey: { value: [text] } })),
    );
    const field = fc.constantFrom(
      'exchange',
      'exchangeName',
      'account',
      'type',
      'environment',
      'owner',
      'source',
      'delivery',
      'state',
      'history',
    );
    const member = fc.constantFrom('sealed', 'secretRef', 'generate', 'secret', 'keepFor');
    fc.assert(
      fc.property(field, fc.option(member), shape, (name, below, value) => {
        const object = credential({ [name]: below === null ? value : { [below]: value } });
        expect(JSON.stringify(validateExchangeCredential(object))).not.toContain(CANARY);
      }),
    );
  });
});
