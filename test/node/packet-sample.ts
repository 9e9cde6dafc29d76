/**
 * Random policies for pods that run, and which connections between them the evaluator says come
 * about: to be asked of the engine of a cluster, packet by packet.
 */
import type { NetworkPolicy } from '../../src/kube/objects.ts';
import type { NetworkNamespace, NetworkPod } from '../../src/network/cluster-facts.ts';
import { createEvaluator } from '../../src/network/evaluator/evaluator.ts';
import { createChooser } from '../oracle/chooser.ts';
import { blockChoices, randomPolicy } from '../oracle/network-cases.ts';
import type { Vocabulary } from '../oracle/network-cases.ts';

export interface PacketRound {
  /** Makes the same round again, for the same pods. */
  readonly seed: number;
  /** To stand all together, and alone. */
  readonly policies: readonly NetworkPolicy[];
  /** Each pod to each other one, on each port that it listens on, over TCP. */
  readonly expected: readonly ExpectedConnection[];
}

export interface ExpectedConnection {
  readonly from: NetworkPod;
  readonly to: NetworkPod;
  readonly address: string;
  readonly port: number;
  readonly allowed: boolean;
}

export interface RunningPods {
  /** With their addresses and, where it matters, names of their ports. */
  readonly pods: readonly NetworkPod[];
  readonly namespaces: readonly NetworkNamespace[];
  /** That every pod listens on, over TCP. */
  readonly ports: readonly number[];
}

/** Rounds in which some connections come about and some do not. */
export function packetSample(running: RunningPods, rounds: number): readonly PacketRound[] {
  const words = vocabularyOf(running);
  const sample: PacketRound[] = [];
  for (let seed = 1; sample.length < rounds; seed += 1) {
    if (seed > rounds * 100) throw new Error(`too few of ${seed} random rounds are of interest`);
    const round = roundOf(running, words, seed);
    const allowed = round.expected.filter((connection) => connection.allowed).length;
    if (allowed > 0 && allowed < round.expected.length) sample.push(round);
  }
  return sample;
}

function roundOf(running: RunningPods, words: Vocabulary, seed: number): PacketRound {
  const choose = createChooser(seed);
  const { pods, namespaces, ports } = running;
  let count = 0;
  const policies = choose.many(1, 4, () =>
    randomPolicy(choose, words, choose.pick(namespaces).name, (count += 1)),
  );
  const { judge } = createEvaluator({ policies, pods, namespaces });
  const expected = pods.flatMap((from) =>
    pods
      .filter((to) => to !== from)
      .flatMap((to) =>
        to.addresses.flatMap((address) =>
          ports.map((port) => {
            const ends = { from: { pod: from }, to: { address } };
            const { allowed } = judge({ ...ends, port, protocol: 'TCP' });
            return { from, to, address, port, allowed };
          }),
        ),
      ),
  );
  return { seed, policies, expected };
}

/** Words that say something about these pods, and a few that do not. */
function vocabularyOf({ pods, namespaces, ports }: RunningPods): Vocabulary {
  const cidrs = new Set(
    pods.flatMap(({ addresses }) =>
      addresses.flatMap((address) =>
        address.includes(':')
          ? [`${address}/128`, '::/0']
          : [`${address}/32`, '0.0.0.0/0', address.replace(/\d+$/, '0/24')],
      ),
    ),
  );
  const names = pods.flatMap((pod) => pod.ports.map(({ name }) => name));
  return {
    podLabels: valuesOf(pods),
    namespaceLabels: valuesOf(namespaces),
    cidrs: blockChoices([...cidrs]),
    ports: [...ports, Math.max(...ports) + 1].toSorted((a, b) => a - b),
    portNames: [...new Set([...names, 'nobody'])],
  };
}

function valuesOf(
  labelled: readonly { readonly labels: Readonly<Record<string, string>> }[],
): Vocabulary['podLabels'] {
  const values: Record<string, readonly string[]> = {};
  for (const [key, value] of labelled.flatMap(({ labels }) => Object.entries(labels))) {
    values[key] = [...new Set([...(values[key] ?? []), value])];
  }
  return values;
}
