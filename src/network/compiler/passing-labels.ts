/**
 * Keys of labels that controllers make up for each roll-out, Job or single pod, or that name a
 * version: a selector that goes by them misses the pods that come next.
 */
const PASSING: ReadonlySet<string> = new Set([
  'pod-template-hash',
  'pod-template-generation',
  'controller-revision-hash',
  'controller-uid',
  'job-name',
  'job-completion-index',
  'rollouts-pod-template-hash',
  'helm.sh/chart',
  'chart',
  'version',
  'release-version',
  'app.kubernetes.io/version',
]);
const PASSING_DOMAINS = [
  'batch.kubernetes.io/',
  'statefulset.kubernetes.io/',
  'apps.kubernetes.io/',
  'topology.kubernetes.io/',
  'jobset.sigs.k8s.io/',
];

export function isPassing(key: string): boolean {
  return PASSING.has(key) || PASSING_DOMAINS.some((domain) => key.startsWith(domain));
}
