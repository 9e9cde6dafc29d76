import { describe, expect, it } from 'vitest';
import type { KubeObject, ValidatingWebhookConfiguration } from '#kube/objects.ts';
import { contentDigest, readMemory, stepFor } from './memory.ts';
import type { ObjectStep, Remembered } from './memory.ts';
import { strictNamespacesIn, webhookConfigurations } from './webhooks.ts';

function configuration(
  caBundle = 'bundle',
  strictNamespaces: readonly string[] = [],
): ValidatingWebhookConfiguration {
  return webhookConfigurations({
    endpoint: { service: { name: 's', namespace: 'strongroom-system', port: 443 } },
    caBundle,
    strictNamespaces,
    operatorNamespace: 'strongroom-system',
    operatorUsername: 'system:serviceaccount:strongroom-system:strongroom-operator',
    isLabelledByPolicy: true,
    detectsCopies: true,
  }).validating;
}

const wanted = configuration();
const renewed = configuration('new bundle');
const other = configuration('bundle', ['trading']);
/** As an API server gives it: with members in another order, and with more about itself. */
const found: KubeObject = {
  ...JSON.parse(JSON.stringify({ webhooks: wanted.webhooks, kind: wanted.kind })),
  apiVersion: wanted.apiVersion,
  metadata: { name: 'strongroom-admission', uid: 'u', generation: 3, resourceVersion: '9' },
};
const changed: KubeObject = {
  ...found,
  webhooks: wanted.webhooks?.map((webhook) => ({ ...webhook, failurePolicy: 'Ignore' })),
} as KubeObject;
const remembered: Remembered = { wanted: contentDigest(wanted), found: contentDigest(found) };

describe('stepFor', () => {
  it.each<
    [string, ObjectStep, KubeObject, KubeObject | undefined, Remembered | undefined, boolean]
  >([
    ['the first time', 'Apply', wanted, undefined, undefined, false],
    ['after the memory was lost', 'Apply', wanted, changed, undefined, false],
    ['after a leader died over it', 'Apply', wanted, found, { wanted: 'x' }, false],
    ['as it was left', 'Leave', wanted, found, remembered, false],
    ['something else is wanted', 'Apply', other, found, remembered, false],
    ['the CA was renewed', 'RenewBundle', renewed, found, remembered, false],
    ['deleted by others', 'Missing', wanted, undefined, remembered, false],
    [
      'deleted by others, and something else is wanted',
      'Missing',
      other,
      undefined,
      remembered,
      false,
    ],
    ['changed by others', 'Changed', wanted, changed, remembered, false],
    [
      'changed by others, and something else is wanted',
      'Changed',
      other,
      changed,
      remembered,
      false,
    ],
    [
      'changed by others, and the CA was renewed',
      'ChangedRenewBundle',
      renewed,
      changed,
      remembered,
      false,
    ],
    ['deleted, to be put back', 'Apply', wanted, undefined, remembered, true],
    ['changed, to be put back', 'Apply', wanted, changed, remembered, true],
    ['as it was left, and somebody asks', 'Leave', wanted, found, remembered, true],
  ])('%s: %s', (_what, step, want, present, memory, isRestoring) => {
    expect(stepFor(want, present, memory, isRestoring)).toBe(step);
  });
});

describe('readMemory', () => {
  it.each([undefined, '', '{', '[]', 'null', '1'])('takes %j for nothing', (text) => {
    expect(readMemory(text)).toEqual({});
  });
});

describe('webhookConfigurations', () => {
  it('tells the strict namespaces again, sorted and once each', () => {
    expect(strictNamespacesIn(configuration('b', ['b', 'a', 'b']))).toEqual(['a', 'b']);
    expect(strictNamespacesIn(configuration())).toEqual([]);
  });
});
