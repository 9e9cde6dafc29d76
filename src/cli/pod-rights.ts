/** Which pods may use what, for those who deliver: they know nothing of policies. */
import type { AccessController } from '#access/deps.ts';
import { secretsOf } from '#admission/pods/secrets-of.ts';
import { mayEverMount } from '#admission/who-may-mount.ts';
import type { PodRights } from '#credentials/pods-without-right.ts';

/** `access` is asked with every question, so that it may be made later than this. */
export function createPodRights(
  access: () => Pick<AccessController, 'index' | 'inForce'>,
): PodRights {
  return {
    secretsOf: ({ spec }) => secretsOf(spec).map(({ secret }) => secret),
    mayMount(credential, account) {
      const { index, inForce } = access();
      const policies = { policyIndex: index, policies: inForce };
      return mayEverMount(policies, account, credential);
    },
  };
}
