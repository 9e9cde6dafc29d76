import { KubeError } from '#kube/errors.ts';

/** What the API server serves of one version of a group. */
export interface ServedVersion {
  readonly group: string;
  readonly version: string;
  /** Plural names, without subresources. */
  readonly resources: readonly string[];
  /**
   * The aggregated API server behind it could not be asked lately: `resources` are those that were
   * known last, or none, and whatever is missing is not known to be gone.
   */
  readonly stale?: true;
}

/** Asks for everything at once; without it the API server answers with names of groups only. */
export const DISCOVERY_TYPE =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

interface GroupDiscoveryList {
  readonly kind?: unknown;
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources?: readonly { readonly resource: string }[];
    }[];
  }[];
}

/**
 * Reads an answer to {@link DISCOVERY_TYPE}, which all supported versions of Kubernetes give.
 *
 * @throws KubeError ERR_KUBE_PROTOCOL for any other answer
 */
export function readDiscovery(answer: unknown): readonly ServedVersion[] {
  const { kind, items } = (answer ?? {}) as GroupDiscoveryList;
  if (kind !== 'APIGroupDiscoveryList' || !Array.isArray(items)) {
    throw new KubeError(
      'ERR_KUBE_PROTOCOL',
      `discover groups: expected an APIGroupDiscoveryList of apidiscovery.k8s.io/v2, found ${JSON.stringify(kind)}`,
    );
  }
  return (items as NonNullable<GroupDiscoveryList['items']>).flatMap(({ metadata, versions }) =>
    (versions ?? []).map(({ version, freshness, resources }) => ({
      group: metadata?.name ?? '',
      version,
      resources: (resources ?? []).map(({ resource }) => resource),
      ...(freshness === 'Stale' ? { stale: true as const } : {}),
    })),
  );
}
