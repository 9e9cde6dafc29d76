/** What the API server, etcd or the meaning of a NetworkPolicy holds against an object. */
import type { NetworkPolicy, NetworkPolicyPeer } from '#kube/objects.ts';
import { addressSet } from '../../cidr/address-set.ts';
import type { Family } from '../../cluster-facts.ts';
import { isOurPolicy } from '../our-policy.ts';

const MOST_BYTES = 300_000;

export function policyFaults(
  policy: NetworkPolicy,
  families: readonly Family[],
): readonly string[] {
  const { metadata, spec } = policy;
  const faults: string[] = [];
  const isName =
    metadata.name.length <= 253 &&
    metadata.name.split('.').every((label) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(label));
  if (!isName) faults.push(`name ${metadata.name}`);
  if (!isOurPolicy(policy)) faults.push('is not known as ours');
  const bytes = JSON.stringify(policy).length;
  if (bytes > MOST_BYTES) faults.push(`${bytes} bytes`);
  if ((spec?.policyTypes ?? []).length === 0) faults.push('isolates in no direction');
  for (const [key, rules] of [
    ['Ingress', spec?.ingress?.map((rule) => ({ ...rule, peers: rule.from }))],
    ['Egress', spec?.egress?.map((rule) => ({ ...rule, peers: rule.to }))],
  ] as const) {
    if (rules !== undefined && spec?.policyTypes?.includes(key) !== true) {
      faults.push(`rules of ${key}, which it does not isolate`);
    }
    if (rules?.length === 0) faults.push(`an empty list, which the API server leaves out`);
    for (const { peers, ports } of rules ?? []) {
      if (peers === undefined || peers.length === 0) faults.push('a rule that opens all');
      if (ports?.length === 0) faults.push('a rule for all ports that names none');
      faults.push(...(peers ?? []).flatMap((peer) => peerFaults(peer, families)));
    }
  }
  return faults;
}

function peerFaults({ ipBlock }: NetworkPolicyPeer, families: readonly Family[]): string[] {
  if (ipBlock === undefined) return [];
  const { cidr, except } = ipBlock;
  const faults: string[] = [];
  const all = [cidr, ...(except ?? [])];
  for (const one of all) {
    if (addressSet([one]).cidrs()[0] !== one) faults.push(`${one} is not canonical`);
    const family = one.includes(':') ? 'IPv6' : 'IPv4';
    if (!families.includes(family)) faults.push(`${one} is of a family that is absent`);
  }
  if (except?.length === 0) faults.push(`${cidr} has an empty except`);
  if (new Set(except).size !== (except?.length ?? 0)) faults.push(`${cidr} has an except twice`);
  for (const one of except ?? []) {
    const isStrict = one !== cidr && addressSet([cidr]).covers(addressSet([one]));
    if (!isStrict) faults.push(`except ${one} is no strict subset of ${cidr}`);
  }
  return faults;
}
