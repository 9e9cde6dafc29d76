import type { ListingBlock, TestReport, TestedPod } from '#cli/block-report.ts';
import { testAddress } from '#cli/block-report.ts';
import { notesText, sections } from '#cli/block-output.ts';
import { openForBlocks, readBlockWorld } from '#cli/block-world.ts';
import type { BlockTestOptions } from '#cli/block.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';
import { age, table, visible } from '#cli/output.ts';

/** What `-o json` prints; a contract of the command line. */
interface TestJson extends TestReport {
  readonly address: string;
  readonly port?: number;
  readonly protocol?: string;
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
}

export async function blockTest(io: Io, address: string, options: BlockTestOptions): Promise<void> {
  const { port, protocol } = options;
  const asked = askedPod(options);
  const namespaces = asked === undefined ? options.namespace : [asked.namespace];
  await using cluster = await openForBlocks(io, options);
  const world = await readBlockWorld(io, cluster, {
    operatorNamespace: options.operatorNamespace,
    ...(namespaces === undefined ? {} : { namespaces }),
  });
  const report = testAddress(world, {
    address,
    protocol,
    ...(port === undefined ? {} : { port }),
    ...(asked === undefined ? {} : { isAsked: ({ name }) => name === asked.name }),
  });
  if (asked !== undefined && report.pods.length === 0) {
    throw new CliError(
      `no pod ${asked.namespace}/${asked.name} runs, or you may not see it`,
      EXIT.notFound,
    );
  }
  const json: TestJson = {
    address,
    ...(port === undefined ? {} : { port, protocol }),
    ...report,
    notes: world.notes,
  };
  print(io, options.output === 'json' ? JSON.stringify(json, null, 2) : describe(json, io.now()));
}

function askedPod({
  pod,
  namespace,
}: BlockTestOptions): { readonly namespace: string; readonly name: string } | undefined {
  if (pod === undefined) return undefined;
  const [first = '', second, ...rest] = pod.split('/');
  const [only, ...others] = namespace ?? [];
  if (second !== undefined && only === undefined && rest.length === 0) {
    return { namespace: first, name: second };
  }
  if (second === undefined && only !== undefined && others.length === 0) {
    return { namespace: only, name: first };
  }
  throw usageError('--pod wants namespace/name, or a name and one --namespace');
}

const VERDICTS: Readonly<Record<TestedPod['verdict'], string>> = {
  CutOff: 'cut off',
  OpenAllTheSame: 'OPEN ALL THE SAME',
  Closed: 'closed',
  Open: 'open',
};

function describe({ address, port, protocol, blocks, pods, notes }: TestJson, now: number): string {
  const where = port === undefined ? '' : ` on ${protocol} ${port}`;
  const inForce = blocks.filter(({ isInForce }) => isInForce);
  return sections([
    inForce.length === 0
      ? `No IPBlock blocks ${address}.`
      : `${address} is blocked by ${inForce.map(({ name }) => visible(name)).join(', ')}.`,
    blocks.length === 0
      ? ''
      : table(
          ['BLOCK', 'RANGE', 'DIRECTION', 'NAMESPACES', 'STATE', 'ENFORCEMENT', 'ENDS', 'REASON'],
          blocks.map((block) => [
            block.name,
            block.range ?? 'feed',
            block.direction,
            block.namespaces === '*' ? 'all guarded' : block.namespaces.join(',') || '-',
            stateText(block),
            block.enforcement ?? 'Unknown',
            block.expiresAt === undefined
              ? 'when removed'
              : block.phase === 'Expired'
                ? 'over'
                : `in ${age(Date.parse(block.expiresAt) - now)}`,
            block.reason,
          ]),
        ),
    pods.length === 0
      ? 'No pods run in guarded namespaces.'
      : `Pods and ${address}${where}:\n${table(
          ['POD', 'DIRECTION', 'STATE', 'BLOCKS', 'WHY'],
          pods.map((pod) => [
            `${pod.namespace}/${pod.pod}`,
            pod.direction,
            VERDICTS[pod.verdict],
            pod.blocks.join(',') || '-',
            pod.why,
          ]),
        )}`,
    notesText(notes),
  ]);
}

function stateText({ phase, isInForce, protectedAs }: ListingBlock): string {
  if (isInForce) return 'in force';
  if (protectedAs.length > 0) return `left out (${protectedAs.join(', ')})`;
  return phase === 'Active' ? 'family absent' : phase;
}
