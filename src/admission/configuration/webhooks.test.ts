import { describe, expect, it } from 'vitest';
import type { AdmissionWebhook } from '#kube/objects.ts';
import { webhookConfigurations } from './webhooks.ts';
import type { WebhookInput } from './webhooks.ts';

const OPERATOR = 'system:serviceaccount:strongroom-system:strongroom-operator';

const base: WebhookInput = {
  endpoint: {
    service: { name: 'strongroom-admission', namespace: 'strongroom-system', port: 443 },
  },
  caBundle: 'PEM',
  strictNamespaces: [],
  operatorNamespace: 'strongroom-system',
  operatorUsername: OPERATOR,
  isLabelledByPolicy: true,
  detectsCopies: true,
};

function entries(input: Partial<WebhookInput> = {}): readonly AdmissionWebhook[] {
  const { validating, mutating } = webhookConfigurations({ ...base, ...input });
  return [...(validating.webhooks ?? []), ...(mutating.webhooks ?? [])];
}

function named(name: string, input: Partial<WebhookInput> = {}): AdmissionWebhook {
  const found = entries(input).find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no webhook ${name}`);
  return found;
}

const resourcesOf = ({ rules }: AdmissionWebhook): readonly string[] =>
  rules.flatMap(({ resources }) => resources);

describe('webhookConfigurations', () => {
  it.each([
    ['objects.strongroom.dev', 'Fail', 5],
    ['namespaces.strongroom.dev', 'Fail', 5],
    ['guard.strongroom.dev', 'Fail', 5],
    ['generated.strongroom.dev', 'Ignore', 5],
    ['nodes.strongroom.dev', 'Fail', 5],
    ['strict.strongroom.dev', 'Fail', 5],
    ['pods.strongroom.dev', 'Ignore', 5],
    ['copies.strongroom.dev', 'Ignore', 2],
    ['stamp.strongroom.dev', 'Fail', 5],
    ['pods-label.strongroom.dev', 'Ignore', 5],
  ])('%s: without an answer %s, after %d s', (name, failurePolicy, timeoutSeconds) => {
    const input = { strictNamespaces: ['trading'], isLabelledByPolicy: false };
    expect(named(name, input)).toMatchObject({
      failurePolicy,
      timeoutSeconds,
      matchPolicy: 'Equivalent',
      sideEffects: 'NoneOnDryRun',
      admissionReviewVersions: ['v1'],
    });
    expect(entries(input)).toHaveLength(10);
  });

  it('never asks about kube-system, its own namespace, or what the operator itself does', () => {
    for (const { name, namespaceSelector, matchConditions } of entries({
      strictNamespaces: ['trading'],
      isLabelledByPolicy: false,
    })) {
      expect(JSON.stringify(matchConditions)).toContain(OPERATOR);
      const isOfNodes = name === 'nodes.strongroom.dev';
      const excluded = JSON.stringify(namespaceSelector).includes(
        '"values":["kube-system","strongroom-system"',
      );
      expect(`${name} ${excluded}`).toBe(`${name} ${!isOfNodes}`);
    }
  });

  it('lets namespaces go while nobody answers', () => {
    for (const { name, rules, matchConditions, failurePolicy } of entries({})) {
      const isAsked = rules.some(({ operations }) => operations.includes('DELETE'));
      if (!isAsked || failurePolicy === 'Ignore') continue;
      expect(`${name} ${JSON.stringify(matchConditions)}`).toContain('namespace-controller');
    }
  });

  it('asks about pods in each guarded namespace once: in strict ones with Fail', () => {
    const strict = named('strict.strongroom.dev', { strictNamespaces: ['b', 'a'] });
    const pods = named('pods.strongroom.dev', { strictNamespaces: ['b', 'a'] });
    expect(strict.rules).toEqual(pods.rules);
    expect(strict.namespaceSelector?.matchExpressions?.[0]?.values).toEqual(['a', 'b']);
    expect(pods.namespaceSelector?.matchExpressions?.[0]?.values).toEqual([
      'kube-system',
      'strongroom-system',
      'a',
      'b',
    ]);
    // An empty list of In would be refused by the API server.
    expect(entries().map(({ name }) => name)).not.toContain('strict.strongroom.dev');
  });

  it('asks about labels of namespaces without a selector of labels', () => {
    const { namespaceSelector } = named('namespaces.strongroom.dev');
    expect(JSON.stringify(namespaceSelector)).not.toContain('strongroom.dev/guarded');
  });

  it('asks about ephemeral containers and every way into a pod', () => {
    expect(resourcesOf(named('pods.strongroom.dev'))).toContain('pods/ephemeralcontainers');
    expect(resourcesOf(named('guard.strongroom.dev'))).toEqual(
      expect.arrayContaining(['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy']),
    );
  });

  it('labels pods only where no policy does', () => {
    expect(entries().map(({ name }) => name)).not.toContain('pods-label.strongroom.dev');
  });

  it('looks for copies only where it is told to', () => {
    expect(entries({ detectsCopies: false }).map(({ name }) => name)).not.toContain(
      'copies.strongroom.dev',
    );
  });

  it('sends to a URL where the operator is not in the cluster', () => {
    const endpoint = { url: 'https://127.0.0.1:8443' };
    expect(named('stamp.strongroom.dev', { endpoint }).clientConfig).toEqual({
      url: 'https://127.0.0.1:8443/mutate',
      caBundle: 'UEVN',
    });
    expect(named('pods.strongroom.dev').clientConfig).toEqual({
      service: {
        name: 'strongroom-admission',
        namespace: 'strongroom-system',
        port: 443,
        path: '/validate',
      },
      caBundle: 'UEVN',
    });
  });
});
