/** `spec.network` of an AccessPolicy. */
import { z } from 'zod';
import {
  NETWORK_RULES,
  NETWORK_PORT_RULES,
  exchangesHaveHosts,
  networkPeerRules,
} from '#api/access-policy-rules.ts';
import type { PolicyNetwork } from '#api/access-policy-types.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import {
  DNS_LABEL,
  canonicalRange,
  labelKeys,
  labelValue,
  map,
  notEmpty,
  set,
  text,
} from '#api/schema/building-blocks.ts';
import { withRules } from '#api/schema/rule.ts';

const MAX_PEERS = 64;
const MAX_PORTS = 32;

const portNumber = z.int().min(1).max(65_535);

const port = withRules(
  z.strictObject({
    port: portNumber.meta({ description: 'The port, or the first of several.' }),
    endPort: portNumber
      .meta({ description: 'The last of several ports. Absent: `port` alone.' })
      .exactOptional(),
    protocol: z
      .enum(['TCP', 'UDP', 'SCTP'])
      .meta({ title: 'NetworkProtocol', description: 'Absent: TCP.' })
      .exactOptional(),
  }),
  NETWORK_PORT_RULES,
).meta({ title: 'NetworkPort' });

const pods = (path: string) =>
  z
    .strictObject({
      namespaces: set(
        text({
          maxLength: 63,
          pattern: `^${DNS_LABEL}$`,
          message: `${path} must hold names of namespaces in pods.namespaces: lower-case letters, digits and "-", beginning and ending with a letter or digit`,
        }),
        MAX_PEERS,
        [notEmpty(`${path}: pods.namespaces`, 'name at least one namespace')],
      ).meta({ description: 'The namespaces they are in.' }),
      matchLabels: withRules(map(labelValue(path), 32), [labelKeys(path)])
        .meta({ description: 'Labels that they have. Absent: all pods of the namespaces.' })
        .exactOptional(),
    })
    .meta({ title: 'NetworkPods', description: 'Pods by namespace and labels.' });

const peers = (path: string) =>
  z
    .array(
      withRules(
        z.strictObject({
          cidr: canonicalRange(path)
            .meta({ description: 'A range of addresses outside of the cluster.' })
            .exactOptional(),
          pods: pods(path).exactOptional(),
          ports: withRules(z.array(port).max(MAX_PORTS), [
            notEmpty(`${path}: ports`, 'name at least one port, or remove the list to open all'),
          ])
            .meta({
              'x-kubernetes-list-type': 'atomic',
              description: 'Ports of the side that is connected to. Absent: all.',
            })
            .exactOptional(),
        }),
        networkPeerRules(path),
      ).meta({ title: 'NetworkPeer' }),
    )
    .max(MAX_PEERS)
    .meta({ 'x-kubernetes-list-type': 'atomic' });

const egress = z
  .strictObject({
    exchanges: set(z.enum(EXCHANGES).meta({ title: 'Exchange' }), EXCHANGES.length, [
      exchangesHaveHosts,
    ])
      .meta({
        description: 'Exchanges whose endpoints they reach, by the host names that each has.',
      })
      .exactOptional(),
    to: peers('spec.network.egress.to')
      .meta({ description: 'What else they reach.' })
      .exactOptional(),
    dns: z
      .boolean()
      .meta({ description: "Whether they reach the cluster's DNS. Absent: false." })
      .exactOptional(),
    apiServer: z
      .boolean()
      .meta({ description: 'Whether they reach the Kubernetes API server. Absent: false.' })
      .exactOptional(),
  })
  .meta({
    title: 'NetworkEgress',
    description: 'What the pods reach, and nothing else. Empty: nothing. Absent: not limited.',
  });

const ingress = z
  .strictObject({
    from: peers('spec.network.ingress.from')
      .meta({ description: 'Who reaches them.' })
      .exactOptional(),
  })
  .meta({
    title: 'NetworkIngress',
    description: 'Who reaches the pods, and nobody else. Empty: nobody. Absent: not limited.',
  });

export const policyNetwork: z.ZodType<PolicyNetwork> = withRules(
  z.strictObject({ egress: egress.exactOptional(), ingress: ingress.exactOptional() }),
  NETWORK_RULES,
).meta({
  title: 'PolicyNetwork',
  description:
    "The network of the pods that run under the policy's ServiceAccounts. Policies about the same ServiceAccount add up. An IPBlock takes from it.",
});
