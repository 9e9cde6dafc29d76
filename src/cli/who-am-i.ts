import { CliError, EXIT } from '#cli/errors.ts';
import type { Identity } from '#access/identity.ts';
import type { KubeClient } from '#kube/client.ts';

/** Who the API server takes us for. */
export async function whoAmI(client: KubeClient, signal: AbortSignal): Promise<Identity> {
  const { SELF_SUBJECT_REVIEWS } = await import('#kube/resources.ts');
  const review = await client.create(
    SELF_SUBJECT_REVIEWS,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
      metadata: { name: '' },
    },
    { signal },
  );
  const { username, groups = [] } = review.status?.userInfo ?? {};
  if (username === undefined) {
    throw new CliError('the API server does not say who you are', EXIT.forbidden);
  }
  return { username, groups };
}
