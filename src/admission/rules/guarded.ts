/** What the rules about core objects have in common. */
import { describeObject } from '../ask.ts';
import type { PodTemplate } from '../pods/pod-template.ts';
import { secretsOf } from '../pods/secrets-of.ts';
import type { SecretUse } from '../pods/secrets-of.ts';
import type { AdmissionRequest } from '../request.ts';
import { refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import type { AdmissionWorld } from '../world.ts';

/** Only of a namespace that is known not to be guarded: one that is not known yet may be. */
export function isUnguarded(world: Pick<AdmissionWorld, 'namespace'>, namespace: string): boolean {
  return world.namespace(namespace)?.isGuarded === false;
}

/**
 * The use of a Secret that was guarded once: whoever has it kept what was in it. Undefined: none.
 */
export function formerUse(
  world: Pick<AdmissionWorld, 'wasGuarded'>,
  namespace: string,
  { spec }: PodTemplate,
): SecretUse | undefined {
  return secretsOf(spec).find(({ secret }) => world.wasGuarded(namespace, secret));
}

/**
 * The object's own name. A deletion of many at once has it in the object alone, a create may have it
 * from the API server's generator; of a subresource it is in the request alone.
 */
export function ownNameOf({ name, object, oldObject, subResource = '' }: AdmissionRequest): string {
  if (subResource !== '') return name;
  return object?.metadata.name || oldObject?.metadata.name || name;
}

/** The API server writes the part always: who leaves it out is not the API server. */
export function notUnderstood(request: AdmissionRequest, part: string): Verdict {
  return refuse('NotUnderstood', `${describeObject(request)} has no ${part} that can be read`, {
    code: 422,
  });
}
