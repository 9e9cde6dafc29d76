import { describe, expect, it } from 'vitest';
import { createKubeClient } from '#kube/create-client.ts';
import { readDiscovery } from '#kube/discovery.ts';
import { isKubeError } from '#kube/errors.ts';
import { sendJson, startServer } from '../../test/http-server.ts';

const ANSWER = {
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: [
    {
      metadata: { name: 'cilium.io' },
      versions: [
        {
          version: 'v2',
          freshness: 'Current',
          resources: [
            { resource: 'ciliumcidrgroups', scope: 'Cluster', verbs: ['get'] },
            {
              resource: 'ciliumnetworkpolicies',
              scope: 'Namespaced',
              verbs: ['get'],
              subresources: [{ subresource: 'status' }],
            },
          ],
        },
      ],
    },
    {
      metadata: { name: 'projectcalico.org' },
      versions: [
        { version: 'v3', freshness: 'Stale' },
        { version: 'v4', resources: null },
      ],
    },
    { metadata: { name: 'empty' } },
  ],
};

describe('what is served', () => {
  it('is read with all versions, and with what is not known to be gone', () => {
    expect(readDiscovery(ANSWER)).toEqual([
      {
        group: 'cilium.io',
        version: 'v2',
        resources: ['ciliumcidrgroups', 'ciliumnetworkpolicies'],
      },
      { group: 'projectcalico.org', version: 'v3', resources: [], stale: true },
      { group: 'projectcalico.org', version: 'v4', resources: [] },
    ]);
  });

  it('is asked for in one call', async () => {
    const accepted: (string | undefined)[] = [];
    await using api = await startServer((request, response) => {
      accepted.push(request.headers.accept);
      sendJson(response, 200, ANSWER);
    });
    await using client = clientOf(api.url);
    expect(await client.discover()).toHaveLength(3);
    expect(api.requests).toEqual(['GET /apis']);
    expect(accepted).toEqual([
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    ]);
  });

  it.each([
    ['names of groups only', { kind: 'APIGroupList', groups: [{ name: 'apps' }] }],
    ['nothing', null],
    ['a list', []],
    ['text', 'hello'],
    ['no items', { kind: 'APIGroupDiscoveryList' }],
  ])('is not guessed from %s', async (_, answer) => {
    await using api = await startServer((_request, response) => sendJson(response, 200, answer));
    await using client = clientOf(api.url);
    const error = await client.discover().catch((thrown: unknown) => thrown);
    expect(isKubeError(error, 'ERR_KUBE_PROTOCOL')).toBe(true);
  });
});

function clientOf(server: string) {
  return createKubeClient({
    server,
    currentNamespace: undefined,
    readCa: async () => undefined,
    readClientCertificate: async () => undefined,
    readAuthorization: async () => undefined,
  });
}
