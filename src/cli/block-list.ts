import { blockJson, blockTable } from '#cli/block-output.ts';
import type { BlockOptions } from '#cli/block.ts';
import { openForBlocks, readBlocks } from '#cli/block-world.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

export async function blockList(io: Io, options: BlockOptions): Promise<void> {
  await using cluster = await openForBlocks(io, options);
  const blocks = await readBlocks(cluster, io.signal);
  const now = io.now();
  if (options.output === 'json') {
    print(
      io,
      JSON.stringify(
        blocks.map((block) => blockJson(block, now)),
        null,
        2,
      ),
    );
  } else {
    print(io, blocks.length === 0 ? 'No IPBlocks found.' : blockTable(blocks, now));
  }
}
