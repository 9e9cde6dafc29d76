import { describe, expect, it } from 'vitest';
import type { KubeClient } from '#kube/client.ts';
import { KubeError, errorFromStatus } from '#kube/errors.ts';
import type { KubeErrorCode } from '#kube/errors.ts';
import { CALICO_APIS } from './backend-resources.ts';
import { putObject } from './put-object.ts';

const { policies } = CALICO_APIS[0];
const OBJECT = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'GlobalNetworkPolicy',
  metadata: { name: 'strongroom.strongroom-egress-n0' },
};

function put(refusal?: KubeError) {
  const calls: string[] = [];
  const client = {
    apply: async (_resource: unknown, _object: unknown, o: object) => {
      calls.push(`apply ${JSON.stringify(o)}`);
      if (refusal !== undefined) throw refusal;
    },
    create: async (_resource: unknown, object: unknown, o: object) => {
      calls.push(`create ${object === OBJECT} ${JSON.stringify(o)}`);
    },
  } as unknown as KubeClient;
  return { calls, done: putObject(client, policies, OBJECT, { fieldManager: 'strongroom' }) };
}

const notFound = (reason: string) =>
  errorFromStatus(
    'apply',
    404,
    { kind: 'Status', status: 'Failure', reason, message: '' } as never,
    undefined,
    true,
  );

describe('putting an object', () => {
  it('applies it, also over the fields of others', async () => {
    const { calls, done } = put();
    await done;
    expect(calls).toEqual(['apply {"fieldManager":"strongroom","force":true}']);
  });

  it('creates it where applying creates nothing', async () => {
    const { calls, done } = put(notFound('NotFound'));
    await done;
    expect(calls.slice(1)).toEqual(['create true {"fieldManager":"strongroom"}']);
  });

  it.each<readonly [string, KubeError]>([
    ['a kind that is not served', notFound('')],
    ['a refusal', new KubeError('ERR_KUBE_FORBIDDEN' satisfies KubeErrorCode, 'apply: forbidden')],
  ])('passes on %s', async (_, refusal) => {
    const { calls, done } = put(refusal);
    await expect(done).rejects.toBe(refusal);
    expect(calls).toHaveLength(1);
  });
});
