/** The table of where a pod names Secrets, as CEL. */
import { SECRET_PATHS } from '../pods/secret-paths.ts';

interface Tree {
  readonly next: Map<string, Tree>;
}

/**
 * A list of the names of all Secrets that a PodSpec names; names can be in it more than once, and in
 * no order that matters. It is put together as text, since CEL of 1.34 cannot flatten lists; no name
 * has a line break in it.
 */
export function secretNames(podSpec: string): string {
  return namesBelow(podSpec, treeOf(SECRET_PATHS), 0);
}

/** What people call the items of a list of a PodSpec. */
const CALLED: Readonly<Record<string, string>> = {
  containers: 'container',
  initContainers: 'init container',
  ephemeralContainers: 'ephemeral container',
  volumes: 'volume',
};

/**
 * A list of where a PodSpec names one of `secrets`, an expression that is a list, in words for
 * people: `container maker`, `volume keys`, `imagePullSecrets`.
 */
export function secretPlaces(podSpec: string, secrets: string): string {
  return [...treeOf(SECRET_PATHS).next]
    .map(([list, { next }]) => {
      const items = `${podSpec}.?${list}.orValue([])`;
      const item: Tree = next.get('[]') ?? { next: new Map() };
      const names = `${namesBelow('item', item, 0)}.exists(name, name in ${secrets})`;
      const called = CALLED[list];
      return called === undefined
        ? `(${items}.exists(item, ${names}) ? [${JSON.stringify(list)}] : [])`
        : `${items}.filter(item, ${names}).map(item, ${JSON.stringify(`${called} `)} + item.?name.orValue(""))`;
    })
    .join(' + ');
}

function treeOf(paths: readonly { readonly path: readonly string[] }[]): Tree {
  const root: Tree = { next: new Map() };
  for (const { path } of paths) {
    let at = root;
    for (const step of path) {
      const next = at.next.get(step) ?? { next: new Map() };
      at.next.set(step, next);
      at = next;
    }
  }
  return root;
}

function namesBelow(place: string, tree: Tree, depth: number): string {
  return `${textOf(place, tree, depth)}.split("\\n").filter(name, name != "")`;
}

/** Text with the names below a place, one a line. */
function textOf(place: string, tree: Tree, depth: number): string {
  const parts = linesOf(place, tree, depth);
  return parts.length === 1 && parts[0] !== undefined
    ? parts[0]
    : `[${parts.join(', ')}].join("\\n")`;
}

/** Expressions that each are text. `place` can be gone into with `.?`. */
function linesOf(place: string, { next }: Tree, depth: number): readonly string[] {
  if (next.size === 0) return [`string(${place}.orValue(""))`];
  return [...next].flatMap(([step, tree]) => {
    if (step !== '[]') return linesOf(`${place}.?${step}`, tree, depth);
    const item = `v${depth}`;
    return [`${place}.orValue([]).map(${item}, ${textOf(item, tree, depth + 1)}).join("\\n")`];
  });
}
