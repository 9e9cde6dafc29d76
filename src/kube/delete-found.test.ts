import { describe, expect, test, vi } from 'vitest';
import type { KubeClient } from './client.ts';
import { deleteFound } from './delete-found.ts';
import { KubeError } from './errors.ts';
import type { KubeErrorCode } from './errors.ts';
import { ROLES } from './resources.ts';

const FOUND = { metadata: { namespace: 'trading', name: 'desk', uid: 'uid-1' } };

describe('an object that was found', () => {
  const { signal } = new AbortController();
  const failing = (code: KubeErrorCode) => ({
    delete: () => Promise.reject(new KubeError(code, 'no')),
  });

  test('is deleted by its UID', async () => {
    const remove = vi.fn<KubeClient['delete']>(() => Promise.resolve());
    await deleteFound({ delete: remove }, ROLES, FOUND, signal);
    expect(remove).toHaveBeenCalledWith(
      ROLES,
      { namespace: 'trading', name: 'desk' },
      { signal, uid: 'uid-1' },
    );
  });

  test.each<KubeErrorCode>(['ERR_KUBE_NOT_FOUND', 'ERR_KUBE_CONFLICT'])(
    'is gone after %s',
    async (code) => {
      await expect(deleteFound(failing(code), ROLES, FOUND, signal)).resolves.toBeUndefined();
    },
  );

  test('stays where something else went wrong', async () => {
    await expect(
      deleteFound(failing('ERR_KUBE_FORBIDDEN'), ROLES, FOUND, signal),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
  });
});
