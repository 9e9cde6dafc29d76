import type { IPBlock } from '#api/ip-block.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { blockOf } from '#cli/block-manifest.ts';
import {
  blockJson,
  describeBlock,
  gapTable,
  isSeen,
  notesText,
  sections,
  someOf,
} from '#cli/block-output.ts';
import { previewBlock } from '#cli/block-report.ts';
import type { BlockPreview, PodLoss } from '#cli/block-report.ts';
import { openForBlocks, readBlockWorld } from '#cli/block-world.ts';
import type { BlockAddOptions } from '#cli/block.ts';
import type { OpenCluster } from '#cli/cluster.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { table } from '#cli/output.ts';
import { pollUntil } from '#cli/wait.ts';
import { whoAmI } from '#cli/who-am-i.ts';
import { isKubeError } from '#kube/errors.ts';

/** What `--dry-run -o json` prints; a contract of the command line. */
interface PreviewJson extends BlockPreview {
  readonly block: IPBlock;
  /** What would deny it beside NetworkPolicies. */
  readonly backends: readonly string[];
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
}

const FIELD_MANAGER = 'strongroom-cli';
/** Names that are made up are tried with a number behind them where one is taken. */
const MOST_NAMES = 20;

export async function blockAdd(
  io: Io,
  addresses: readonly string[],
  options: BlockAddOptions,
): Promise<void> {
  // What is wrong on the command line is said before anybody is asked.
  const wish = { ...options, addresses };
  blockOf(wish, io.now());
  await using cluster = await openForBlocks(io, options);
  const owner = options.owner ?? (await whoAmI(cluster.client, io.signal)).username;
  const block = blockOf({ ...wish, owner }, io.now());
  if (options.dryRun === true) {
    await preview(io, cluster, block, options);
    return;
  }
  const created = await create(io, cluster, block, options.name === undefined);
  const { name } = created.metadata;
  if (!options.wait) {
    notice(io, `IPBlock ${name} created`);
    show(io, created, options);
    return;
  }
  const handled = await waitFor(io, cluster, name, options.timeout);
  show(io, handled, options);
  const { enforcement } = handled.status ?? {};
  if (enforcement === 'Ineffective') {
    throw new CliError(
      `IPBlock ${name} stands, and the addresses are open all the same: see above`,
    );
  }
  const stall = stallOf(handled);
  if (stall !== undefined) throw new CliError(`IPBlock ${name} blocks nothing: ${stall}`);
}

function show(io: Io, block: IPBlock, { output }: BlockAddOptions): void {
  const now = io.now();
  print(
    io,
    output === 'json' ? JSON.stringify(blockJson(block, now), null, 2) : describeBlock(block, now),
  );
}

async function create(
  io: Io,
  { client }: OpenCluster,
  block: IPBlock,
  isNameFree: boolean,
): Promise<IPBlock> {
  const { name } = block.metadata;
  for (let attempt = 1; ; attempt += 1) {
    const metadata = { name: attempt === 1 ? name : `${name}-${attempt}` };
    try {
      return await client.create<IPBlock>(
        IP_BLOCKS,
        { ...block, metadata },
        { signal: io.signal, fieldManager: FIELD_MANAGER },
      );
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
      if (isNameFree && attempt < MOST_NAMES) continue;
      throw new CliError(
        `IPBlock ${metadata.name} exists; take another --name, or remove it with "strongroom block remove ${metadata.name}"`,
        EXIT.failed,
        { cause: error },
      );
    }
  }
}

/** Until the operator has written what it can, or says that nobody but a person can mend it. */
async function waitFor(
  io: Io,
  { client }: OpenCluster,
  name: string,
  timeoutSeconds: number,
): Promise<IPBlock> {
  const handled = await pollUntil(io, timeoutSeconds, async () => {
    const block = await client.get<IPBlock>(IP_BLOCKS, { name }, { signal: io.signal });
    const isPending = (block.status?.enforcement ?? 'Pending') === 'Pending';
    return isSeen(block) && (!isPending || stallOf(block) !== undefined) ? block : undefined;
  });
  if (handled !== undefined) return handled;
  throw new CliError(
    `the operator has not enforced IPBlock ${name} within ${timeoutSeconds} s; it stays in force. Is the operator running? "strongroom block list" shows the outcome`,
    EXIT.timedOut,
  );
}

/** What nobody but a person can mend. */
function stallOf({ status }: IPBlock): string | undefined {
  return status?.conditions?.find(({ type, status: is }) => type === 'Stalled' && is === 'True')
    ?.message;
}

async function preview(
  io: Io,
  cluster: OpenCluster,
  block: IPBlock,
  options: BlockAddOptions,
): Promise<void> {
  const world = await readBlockWorld(io, cluster, {
    operatorNamespace: options.operatorNamespace,
    ...(options.namespace === undefined ? {} : { namespaces: options.namespace }),
  });
  // The API server and its webhooks have the last word, and the rights of the person are asked too.
  await cluster.client.create<IPBlock>(IP_BLOCKS, block, {
    signal: io.signal,
    fieldManager: FIELD_MANAGER,
    dryRun: true,
  });
  const json: PreviewJson = {
    block,
    ...previewBlock(world, block, io.now()),
    backends: world.backends,
    notes: [
      ...world.notes,
      'addresses of exchanges are not resolved here; the operator leaves those out too that policies open',
    ],
  };
  print(io, options.output === 'json' ? JSON.stringify(json, null, 2) : describe(json));
  if (json.phase === 'Empty') {
    throw usageError('nothing is left to block: all of it is protected');
  }
}

function describe(json: PreviewJson): string {
  const { block, blocked, leftOut, losses, podsInScope, backends } = json;
  const lines = [
    `IPBlock ${block.metadata.name} would be created; nothing was written.`,
    `Blocked: ${blocked.length === 0 ? 'nothing' : someOf(blocked)}`,
    ...leftOut.map(
      ({ protectedAs, cidrs }) => `Left out: ${someOf(cidrs)}, protected as ${protectedAs}`,
    ),
    ...(blocked.length === 0
      ? ['It would do nothing']
      : [
          `Pods in scope: ${podsInScope}; to ${podsOf(losses)} of them something of it is open now`,
        ]),
    ...(blocked.length === 0
      ? []
      : [
          `By NetworkPolicies alone it would be ${json.state}${backends.length === 0 ? '' : `; ${backends.join(', ')} would deny it beside them`}`,
        ]),
  ];
  return sections([
    lines.join('\n'),
    losses.length === 0
      ? ''
      : table(
          ['POD', 'DIRECTION', 'LOSES', 'KEEPS'],
          losses.map(({ namespace, pod, direction, loses, keeps }) => [
            `${namespace}/${pod}`,
            direction,
            someOf(loses) || '-',
            someOf(keeps) || '-',
          ]),
        ),
    gapTable(json.gaps),
    notesText(json.notes),
  ]);
}

function podsOf(losses: readonly PodLoss[]): number {
  return new Set(losses.map(({ namespace, pod }) => `${namespace}/${pod}`)).size;
}
