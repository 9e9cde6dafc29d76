/** The webhook's certificates, and the key of stamps, as the configuration wants them. */
import type { AdmissionMetrics } from '#admission/metrics.ts';
import { createCertificateKeeper } from '#admission/pki/keeper.ts';
import type {
  CertificateKeeper,
  CertificateKeeperOptions,
  ObservedBundle,
} from '#admission/pki/keeper.ts';
import type { OperatorConfig } from '#cli/operator-config.ts';

export interface AdmissionKeys extends CertificateKeeper {
  /** From where it is told what the configurations of the webhook carry. */
  observe(bundleObserved: () => ObservedBundle | undefined): void;
}

type Provided = 'namespace' | 'names' | 'external' | 'bundleObserved' | 'instance';

export function createAdmissionKeys(
  { admission, namespace, identity }: OperatorConfig,
  deps: Omit<CertificateKeeperOptions, Provided> & { readonly metrics: AdmissionMetrics },
): AdmissionKeys {
  const { secret } = admission.certificate;
  let observed: () => ObservedBundle | undefined = () => undefined;
  const keeper = createCertificateKeeper({
    ...deps,
    namespace,
    names: namesOf(admission, namespace),
    ...(secret === undefined ? {} : { external: secret }),
    bundleObserved: () => observed(),
    instance: identity,
  });
  return {
    ...keeper,
    observe(bundleObserved) {
      observed = bundleObserved;
    },
  };
}

/** What the API server calls the webhook by. */
function namesOf(
  { url, service }: OperatorConfig['admission'],
  namespace: string,
): readonly string[] {
  if (url !== undefined) return [new URL(url).hostname.replaceAll(/^\[|\]$/g, '')];
  const name = `${service.name}.${namespace}.svc`;
  return [name, `${name}.cluster.local`];
}
