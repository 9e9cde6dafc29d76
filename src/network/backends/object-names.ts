import { createHash } from 'node:crypto';
import { LABELS } from '#api/names.ts';

/** On all objects of the backends, beside those of NetworkPolicies. */
export const BACKEND_LABELS: Readonly<Record<string, string>> = {
  [LABELS.managedBy]: 'strongroom',
  [LABELS.component]: 'network',
};

/**
 * Cilium and Calico make labels of names of groups, and those have 63 characters, whatever the name
 * of an object may have.
 */
const LONGEST = 63;
const DIGEST = 12;

/**
 * `strongroom-<key>`, or `strongroom-<key>-<part>` with a part that its end shows: the same for the
 * same key and part, and another for any other. What is too long, or no part of a DNS label, is told
 * apart by a digest. A part has 40 characters at most, as those of shards have.
 */
export function objectName(key: string, part?: string): string {
  const suffix = part === undefined ? '' : `-${part}`;
  return `${bounded(`strongroom-${key}`, LONGEST - suffix.length)}${suffix}`;
}

function bounded(text: string, longest: number): string {
  const isFit = text.length <= longest && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
  // With the end of a digest a fit text could look like one that was cut.
  if (isFit && !/-x[0-9a-f]{12}$/.test(text)) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGEST);
  const head = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, Math.max(0, longest - DIGEST - 2))
    .replace(/-+$/, '');
  return `${head}-x${digest}`;
}
