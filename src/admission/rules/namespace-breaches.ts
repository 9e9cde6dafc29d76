/**
 * What breaks when a namespace becomes guarded, as far as it can be known before. Credentials are
 * followed everywhere, so what they say is known. Pods and ServiceAccounts of a namespace that is not
 * guarded are not followed: which pods use what they would not be let use is found once it is, and
 * told in status. Nobody is asked about pods that run already; they run on.
 */
import { ENVIRONMENTS } from '#api/roles.ts';
import { LABELS } from '#api/names.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AdmissionWorld } from '../world.ts';
import { warn } from '../warn.ts';

export interface Breaches {
  /** Credentials of another environment, with it, as far as they fit into a message. */
  readonly mismatches: readonly string[];
  readonly warnings: readonly string[];
}

const MAX_TOLD = 20;

/** `environment` is the label as it would be. */
export function reportBreaches(
  world: AdmissionWorld,
  namespace: string,
  environment: string | undefined,
): Breaches {
  const credentials = world.credentials(namespace);
  const mismatches = credentials
    .filter(({ spec }) => environment !== undefined && spec.environment !== environment)
    .map(({ metadata, spec }) => `ExchangeCredential ${metadata.name} (${spec.environment})`);
  return {
    mismatches: firstOf(mismatches),
    warnings: [
      ...labelWarnings(environment),
      ...sharedSecrets(credentials),
      ...mountWarnings(world, namespace, credentials),
    ].map(warn),
  };
}

function labelWarnings(environment: string | undefined): readonly string[] {
  if (environment === undefined) return [];
  if (ENVIRONMENTS.some((known) => known === environment)) return [];
  return [
    `${LABELS.environment}: ${JSON.stringify(environment)} is no environment (${ENVIRONMENTS.join(', ')}), so no credential fits.`,
  ];
}

/** Who uses a Secret of two credentials needs a right to both. */
function sharedSecrets(credentials: readonly ExchangeCredential[]): readonly string[] {
  const bySecret = Map.groupBy(
    credentials.flatMap(({ metadata, spec }) => {
      const names = [spec.delivery.secret?.name, spec.source.secretRef?.name];
      return names.flatMap((secret) =>
        secret === undefined ? [] : [{ secret, name: metadata.name }],
      );
    }),
    ({ secret }) => secret,
  );
  return [...bySecret].flatMap(([secret, users]) => {
    const names = [...new Set(users.map(({ name }) => name))];
    return names.length < 2
      ? []
      : [
          `Secret ${secret} is of ${firstOf(names).join(' and ')}: only who may use all of them may use it.`,
        ];
  });
}

function mountWarnings(
  world: AdmissionWorld,
  namespace: string,
  credentials: readonly ExchangeCredential[],
): readonly string[] {
  if (credentials.length === 0) return [];
  const nobody = credentials
    .filter(({ spec }) => spec.delivery.secret !== undefined)
    .filter(
      (credential) =>
        !world.policyIndex().policies.some(
          (policy) =>
            policy.effect === 'Allow' &&
            policy.rank('AccessSecrets') >= 0 &&
            policy.matches({
              namespace,
              name: credential.metadata.name,
              labels: credential.metadata.labels ?? {},
              environment: credential.spec.environment,
              ...(credential.spec.exchange === undefined
                ? {}
                : { exchange: credential.spec.exchange }),
            }),
        ),
    )
    .map(({ metadata }) => metadata.name);
  return [
    ...(nobody.length === 0
      ? []
      : [
          `No AccessPolicy gives AccessSecrets to ${firstOf(nobody).join(', ')}: no new pod may use its Secret.`,
        ]),
    `Pods of ${namespace} are known only once it is guarded: those that run go on; new ones under a ServiceAccount without AccessSecrets are refused.`,
  ];
}

function firstOf(texts: readonly string[]): readonly string[] {
  if (texts.length <= MAX_TOLD) return texts;
  return [...texts.slice(0, MAX_TOLD), `${texts.length - MAX_TOLD} more`];
}
