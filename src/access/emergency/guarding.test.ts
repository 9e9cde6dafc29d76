import { expect, it } from 'vitest';
import { guardsFor } from './guarding.ts';

it.each([
  [undefined, undefined],
  [{ guards: true, reason: 'Guards' }, true],
  [{ guards: false, reason: 'WebhookDoesNotAnswer' }, undefined],
  [{ guards: false, reason: 'NotTried' }, undefined],
  [{ guards: false, reason: 'WebhookNotAsked' }, false],
  [{ guards: false, reason: 'TwinNotAsked' }, false],
  [{ guards: false, reason: 'ConfigurationDrift' }, false],
  [{ guards: false, reason: 'AnythingElse' }, false],
])('%j is %s', (report, expected) => {
  expect(guardsFor(report && { ...report, message: '' })).toBe(expected);
});
