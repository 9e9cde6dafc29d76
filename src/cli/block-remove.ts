import type { IPBlock } from '#api/ip-block.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { addressesOf } from '#cli/block-manifest.ts';
import { blocksOfRange } from '#cli/block-report.ts';
import type { BlockAndState } from '#cli/block-world.ts';
import { openForBlocks, readListed } from '#cli/block-world.ts';
import type { BlockRemoveOptions } from '#cli/block.ts';
import type { OpenCluster } from '#cli/cluster.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { addressSet } from '#network/cidr/address-set.ts';
import { parseCidr } from '#network/cidr/parse-cidr.ts';

/** What `-o json` prints; a contract of the command line. */
interface RemoveJson {
  readonly removed: readonly string[];
  readonly stillBlockedBy: readonly {
    readonly name: string;
    /** Absent: its feed lists it. */
    readonly range?: string;
    /** How many ranges it lists beside this one. */
    readonly otherRanges: number;
  }[];
  readonly notes: readonly string[];
}

export async function blockRemove(
  io: Io,
  what: string,
  options: BlockRemoveOptions,
): Promise<void> {
  await using cluster = await openForBlocks(io, options);
  const named = await findNamed(cluster, what, io.signal);
  if (named !== undefined) {
    await remove(io, cluster, [named], options);
    finish(io, options, { removed: [named.metadata.name], stillBlockedBy: [], notes: [] });
    return;
  }
  if (!parseCidr(what).ok && !/[.:/]/.test(what)) {
    throw new CliError(
      `there is no IPBlock ${what}; "strongroom block list" shows those that there are`,
      EXIT.notFound,
    );
  }
  const [range = what] = addressesOf([what]);
  const listed = await readListed(io, cluster, options.operatorNamespace);
  const { exact, wider } = blocksOfRange(listed.blocks, range);
  if (exact.length === 0 && wider.length === 0) {
    throw new CliError(`no IPBlock lists ${range}`, EXIT.notFound);
  }
  await remove(io, cluster, exact, options);
  finish(io, options, {
    removed: exact.map(({ metadata }) => metadata.name),
    stillBlockedBy: wider.map((one) => stillBlocked(one, range)),
    notes: listed.notes,
  });
  if (wider.length > 0) {
    throw new CliError(
      [`${range} is still blocked:`, ...wider.map((one) => `  ${adviceOn(one, range)}`)].join('\n'),
    );
  }
}

/** What cannot be a name of an object is none. */
async function findNamed(
  { client }: OpenCluster,
  name: string,
  signal: AbortSignal,
): Promise<IPBlock | undefined> {
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) return undefined;
  return await client.find<IPBlock>(IP_BLOCKS, { name }, { signal });
}

async function remove(
  io: Io,
  { client }: OpenCluster,
  blocks: readonly IPBlock[],
  { dryRun }: BlockRemoveOptions,
): Promise<void> {
  if (dryRun === true) return;
  for (const { metadata } of blocks) {
    // One that was deleted and made anew meanwhile is not meant.
    const { name, uid } = metadata;
    await client.delete(
      IP_BLOCKS,
      { name },
      { signal: io.signal, ...(uid === undefined ? {} : { uid }) },
    );
  }
}

function finish(io: Io, { output, dryRun }: BlockRemoveOptions, json: RemoveJson): void {
  if (output === 'json') {
    print(io, JSON.stringify(json, null, 2));
    return;
  }
  for (const name of json.removed) {
    print(io, dryRun === true ? `IPBlock ${name} would be removed` : `IPBlock ${name} removed`);
  }
  for (const note of json.notes) notice(io, `note: ${note}`);
}

function stillBlocked(
  { block, state }: BlockAndState,
  range: string,
): RemoveJson['stillBlockedBy'][number] {
  const wanted = addressSet([range]);
  const around = block.spec.cidrs?.find((cidr) => addressSet([cidr]).intersects(wanted));
  return {
    name: block.metadata.name,
    ...(around === undefined ? {} : { range: around }),
    otherRanges: (block.spec.cidrs?.length ?? state.listed.cidrs().length) - 1,
  };
}

function adviceOn(one: BlockAndState, range: string): string {
  const { name, range: around, otherRanges } = stillBlocked(one, range);
  if (around === undefined) {
    return `by the feed of IPBlock ${name}; what a feed lists can only be left out at its source, or by removing the IPBlock`;
  }
  const beside =
    otherRanges === 0
      ? ''
      : ` beside ${otherRanges} other ${otherRanges === 1 ? 'range' : 'ranges'}`;
  return `IPBlock ${name} has ${around}${beside}; take it out with "kubectl edit ipblock ${name}", or remove all of it with "strongroom block remove ${name}"`;
}
