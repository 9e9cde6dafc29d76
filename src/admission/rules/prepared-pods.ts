/**
 * Pods that were prepared for a Secret before it was guarded: nobody asked then whether their
 * ServiceAccount may mount it. The credentials controller delivers nothing under such a name; here
 * whoever writes the credential is told.
 *
 * Creating one is let through with a warning. Credential, policy and pods are often applied together,
 * in whatever order, and nobody who can make pods must be able to keep others from making credentials.
 * Giving a credential that works another name is refused: it is being used under the one that it has,
 * and a free one is found as easily.
 */
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { describeObject } from '../ask.ts';
import { isLive } from '../former-secrets.ts';
import { accountNameOf, templateOf } from '../pods/pod-template.ts';
import { secretsOf } from '../pods/secrets-of.ts';
import type { AdmissionRequest } from '../request.ts';
import { refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { warn } from '../warn.ts';
import { mayEverMount } from '../who-may-mount.ts';
import type { AdmissionWorld } from '../world.ts';
import type { Credential } from './read-own.ts';

/** A new name of delivery that such pods use already. */
export function refusedName(
  request: AdmissionRequest,
  world: AdmissionWorld,
  before: Credential,
  after: Credential,
): Verdict | undefined {
  const secret = after.spec.delivery.secret?.name;
  if (secret === undefined || secret === before.spec.delivery.secret?.name) return undefined;
  const found = preparedPods(request, world, after, secret);
  if (found.length === 0) return undefined;
  return refuse(
    'NotGranted',
    `${describeObject(request)}: spec.delivery.secret.name would be ${JSON.stringify(secret)}, and ${textOf(found)} already without the right to mount the credential; delete what makes them, let the ServiceAccount mount it by an AccessPolicy, or choose another name`,
  );
}

/** Of a new credential, one that goes back into use, and one that gets another source. */
export function preparedWarnings(
  request: AdmissionRequest,
  world: AdmissionWorld,
  after: Credential,
  before?: Credential,
): readonly string[] {
  return [
    ...deliveryWarnings(request, world, after, before),
    ...sourceWarnings(request, world, after, before),
  ];
}

function deliveryWarnings(
  request: AdmissionRequest,
  world: AdmissionWorld,
  after: Credential,
  before: Credential | undefined,
): readonly string[] {
  const isNew = before === undefined || (before.spec.state ?? 'Active') !== 'Active';
  const secret = after.spec.delivery.secret?.name;
  if (!isNew || (after.spec.state ?? 'Active') !== 'Active' || secret === undefined) return [];
  const found = preparedPods(request, world, after, secret);
  if (found.length === 0) return [];
  return [
    warn(`nothing is delivered to Secret ${secret} while ${textOf(found)} without the right`),
  ];
}

/** What is in it, they have: it is not the operator who gave it to them. */
function sourceWarnings(
  request: AdmissionRequest,
  world: AdmissionWorld,
  after: Credential,
  before: Credential | undefined,
): readonly string[] {
  const secret = after.spec.source.secretRef?.name;
  if (secret === undefined || secret === before?.spec.source.secretRef?.name) return [];
  const found = preparedPods(request, world, after, secret);
  if (found.length === 0) return [];
  return [
    warn(`the source, Secret ${secret}, is known to others: ${textOf(found)} without the right`),
  ];
}

interface PreparedPod {
  readonly name: string;
  readonly account: string;
}

function preparedPods(
  { namespace = '' }: AdmissionRequest,
  world: AdmissionWorld,
  credential: Credential,
  secret: string,
): readonly PreparedPod[] {
  const located: ExchangeCredential = {
    ...credential,
    metadata: { ...credential.metadata, namespace },
  };
  const answers = new Map<string, boolean>();
  const may = (account: string): boolean => {
    const answer = answers.get(account) ?? mayEverMount(world, account, located);
    answers.set(account, answer);
    return answer;
  };
  return world
    .pods(namespace)
    .filter(isLive)
    .flatMap((pod): readonly PreparedPod[] => {
      const template = templateOf('pods', pod);
      if (template === undefined) return [];
      if (!secretsOf(template.spec).some((use) => use.secret === secret)) return [];
      const account = accountNameOf(template);
      return may(account) ? [] : [{ name: pod.metadata.name, account }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const MAX_NAMED = 3;

function textOf(pods: readonly PreparedPod[]): string {
  const named = pods
    .slice(0, MAX_NAMED)
    .map(({ name, account }) => `${name} (ServiceAccount ${account})`)
    .join(', ');
  const more = pods.length > MAX_NAMED ? ` and ${pods.length - MAX_NAMED} more` : '';
  return `${pods.length === 1 ? 'Pod' : 'Pods'} ${named}${more} ${pods.length === 1 ? 'uses' : 'use'} it`;
}
