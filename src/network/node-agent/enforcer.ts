/** Keeps the table of one node: knows what stands in the kernel, and changes only what differs. */
import type { Clock } from '#runtime/clock.ts';
import { parseElements, parseListing } from './listing.ts';
import type { Nft } from './nft.ts';
import { NftError } from './nft.ts';
import { MAX_HITS } from './node-report.ts';
import { planChange, reloadScript, REMOVE_SCRIPT } from './plan.ts';
import type { Plan, Standing } from './plan.ts';
import { HIT_SETS, TABLE } from './table.ts';
import type { SetElements, Table } from './table.ts';

/** A ban counts from when its command was written; until the kernel has it, a moment passes. */
const TOLERANCE_MS = 5_000;

export interface Observation {
  /** Whether the table is there with the chains and sets that it should have. */
  readonly isSound: boolean;
  readonly refused: { readonly fromBanned: number; readonly toBanned: number };
  readonly hits: readonly { readonly address: string; readonly packets: number }[];
}

interface Looked {
  readonly standing?: Standing;
  /** How far off its times can be. */
  readonly toleranceMs: number;
}

export interface Enforcer {
  /**
   * Makes the kernel's table the wanted one, and says what that took. What stands there from before
   * is taken over, not made anew.
   * @throws NftError where the kernel still has what it had
   */
  enforce(wanted: Table): Promise<Plan['kind']>;
  /** The next `enforce` looks at every element in the kernel, instead of relying on what it wrote. */
  doubt(): void;
  /** A quick look, without elements. */
  observe(): Promise<Observation>;
  /** Takes the table away; nothing happens where there is none. */
  remove(): Promise<void>;
}

export function createEnforcer(nft: Nft, clock: Clock): Enforcer {
  let standing: Standing | undefined;
  let isDoubted = true;
  /** What nft lists for a structure that was written, in case it words it differently. */
  let wording: { readonly written: string; readonly listed: string } | undefined;

  async function listed(): Promise<ReturnType<typeof parseListing>> {
    const listing = parseListing(await nft(['-t', 'list', 'ruleset', 'inet']));
    const isWorded = wording !== undefined && wording.listed === listing.structure;
    return isWorded ? { ...listing, structure: wording?.written } : listing;
  }

  async function look(wanted: Table): Promise<Looked> {
    const { structure } = await listed();
    // Elements of a table that is made anew anyhow are of no interest.
    if (structure !== wanted.structure) return { toleranceMs: 0 };
    const beforeMs = clock.now();
    const json = await nft(['-j', 'list', 'table', ...TABLE.split(' ')]);
    const afterMs = clock.now();
    // Whole seconds, rounded down, at some moment between the two.
    const middleMs = (beforeMs + afterMs + 1000) / 2;
    const sets = new Map<string, SetElements>();
    for (const [name, elements] of parseElements(json)) {
      sets.set(
        name,
        new Map(
          elements.map(({ range, expiresInSeconds }) => [
            range,
            expiresInSeconds === undefined ? Infinity : middleMs + expiresInSeconds * 1000,
          ]),
        ),
      );
    }
    return {
      standing: { structure, sets },
      toleranceMs: TOLERANCE_MS + Math.max(0, afterMs - beforeMs) / 2,
    };
  }

  return {
    async enforce(wanted) {
      let toleranceMs = 0;
      if (isDoubted) ({ standing, toleranceMs } = await look(wanted));
      let plan = planChange(standing, wanted, clock.now(), toleranceMs);
      // Until it has worked nothing is certain.
      isDoubted = true;
      if (plan.kind === 'delta') {
        try {
          await nft(['-f', '-'], plan.script);
        } catch (error) {
          if (!(error instanceof NftError)) throw error;
          // A ban ended at that moment, or somebody changed the set: all of it, then.
          plan = { kind: 'reload', script: reloadScript(wanted, clock.now()) };
        }
      }
      if (plan.kind === 'reload') {
        await nft(['-f', '-'], plan.script);
        const { structure } = parseListing(await nft(['-t', 'list', 'ruleset', 'inet']));
        wording =
          structure === undefined ? undefined : { written: wanted.structure, listed: structure };
      }
      standing = wanted;
      isDoubted = false;
      return plan.kind;
    },
    doubt() {
      isDoubted = true;
    },
    async observe() {
      const { structure, refused } = await listed();
      const isSound = structure !== undefined && structure === standing?.structure;
      if (!isSound) return { isSound, refused, hits: [] };
      const hits: { address: string; packets: number }[] = [];
      for (const set of HIT_SETS) {
        const elements = parseElements(await nft(['-j', 'list', 'set', ...TABLE.split(' '), set]));
        for (const { range, packets } of elements.get(set) ?? []) {
          hits.push({ address: range, packets: packets ?? 0 });
        }
      }
      const busiest = hits.toSorted((a, b) => b.packets - a.packets);
      return { isSound, refused, hits: busiest.slice(0, MAX_HITS) };
    },
    async remove() {
      standing = undefined;
      isDoubted = true;
      if ((await listed()).structure !== undefined) await nft(['-f', '-'], REMOVE_SCRIPT);
    },
  };
}
