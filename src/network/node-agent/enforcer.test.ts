import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createEnforcer } from './enforcer.ts';
import type { Nft } from './nft.ts';
import { NftError } from './nft.ts';
import type { NodeBlocks } from './read-node-blocks.ts';
import { tableOf } from './table.ts';
import type { Table } from './table.ts';

const clock = createFakeClock();

function table(...addresses: readonly bigint[]): Table {
  const both = addresses.map((at) => ({
    family: 'IPv4' as const,
    first: at,
    last: at,
    text: `0.0.0.${at}`,
  }));
  const bans = { both, ingress: [], egress: [] };
  const blocks: NodeBlocks = {
    revision: 'r',
    scopes: [{ key: 'node', namespaces: '*', bans, pods: [] }],
  };
  return tableOf(blocks);
}

/** Says of the table what it is told to; scripts that `refuses` names fail. */
function script(listed: string, refuses: (input: string) => boolean = () => false) {
  const scripts: string[] = [];
  const nft: Nft = (args, input = '') => {
    if (args[0] === '-j') return Promise.resolve('{"nftables": []}');
    if (args[0] === '-t') return Promise.resolve(listed);
    scripts.push(input);
    return refuses(input) ? Promise.reject(new NftError('exists')) : Promise.resolve('');
  };
  return { nft, scripts };
}

describe('an enforcer', () => {
  it('loads everything where a change is refused', async () => {
    const { nft, scripts } = script(table().structure, (input) => input.startsWith('add element'));
    const enforcer = createEnforcer(nft, clock);
    expect(await enforcer.enforce(table())).toBe('nothing');
    expect(await enforcer.enforce(table(1n))).toBe('reload');
    expect(scripts.map((each) => each.split(' ').slice(0, 2).join(' '))).toEqual([
      'add element',
      'add table',
    ]);
    expect(await enforcer.enforce(table(1n))).toBe('nothing');
  });

  it('looks again after a failure, instead of believing that it worked', async () => {
    let fails = true;
    const { nft, scripts } = script('', () => fails);
    const enforcer = createEnforcer(nft, clock);
    await expect(enforcer.enforce(table(1n))).rejects.toThrow(NftError);
    fails = false;
    expect(await enforcer.enforce(table(1n))).toBe('reload');
    expect(scripts).toHaveLength(2);
  });

  it('knows its own table again when another nft words it otherwise', async () => {
    const worded = table().structure.replaceAll('raw - 10', '-310');
    const { nft, scripts } = script(worded);
    const enforcer = createEnforcer(nft, clock);
    expect(await enforcer.enforce(table())).toBe('reload');
    expect((await enforcer.observe()).isSound).toBe(true);
    enforcer.doubt();
    expect(await enforcer.enforce(table())).toBe('nothing');
    expect(scripts).toHaveLength(1);
  });

  it('removes nothing where nothing is', async () => {
    const { nft, scripts } = script('table inet other {\n}\n');
    await createEnforcer(nft, clock).remove();
    expect(scripts).toEqual([]);
  });
});
