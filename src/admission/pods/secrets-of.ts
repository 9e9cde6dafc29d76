/** The Secrets that a PodSpec names, by the table and beyond it. */
import { SECRET_PATHS } from './secret-paths.ts';
import type { SecretUseKind } from './secret-paths.ts';

export interface SecretUse {
  readonly secret: string;
  /** `Unknown`: in a field that the table lacks, but whose name says Secret. */
  readonly use: SecretUseKind | 'Unknown';
  /** Where it was found first, such as `containers[0].envFrom[1].secretRef.name`. */
  readonly field: string;
}

/** The table as a tree; a leaf has a use. */
interface PathNode {
  readonly next: Map<string, PathNode>;
  use?: SecretUseKind;
}

const ROOT: PathNode = { next: new Map() };
for (const { path, use } of SECRET_PATHS) {
  let node = ROOT;
  for (const step of path) {
    const next = node.next.get(step) ?? { next: new Map<string, PathNode>() };
    node.next.set(step, next);
    node = next;
  }
  node.use = use;
}

/** Drivers read the keys of their free maps without regard to upper and lower case, and part words. */
const SAYS_SECRET = /secret[-_.]?(?:s|ref|refs|name|names|keyref)?$/i;

/** Keys of an object at a key that says Secret. */
const NAME_KEYS: ReadonlySet<string> = new Set(['name', 'secretname']);

interface Place {
  readonly value: unknown;
  readonly key: string | number;
  readonly parent: Place | undefined;
  readonly node: PathNode | undefined;
  /** Whether a string here would be the name of a Secret, by the name of its field alone. */
  readonly isName: boolean;
  /** Whether the field, or the list that this is an item of, says Secret. */
  readonly isReference: boolean;
}

/**
 * Each Secret once for each use, in no order that matters. Takes any JSON, of any depth, for a
 * PodSpec: what is none names nothing.
 */
export function secretsOf(podSpec: unknown): readonly SecretUse[] {
  const found = new Map<string, SecretUse>();
  const open: Place[] = [
    { value: podSpec, key: '', parent: undefined, node: ROOT, isName: false, isReference: false },
  ];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value } = place;
    if (typeof value === 'string') {
      if (value !== '') note(found, place, value);
    } else if (Array.isArray(value)) {
      const node = place.node?.next.get('[]');
      const { isReference } = place;
      for (const [key, item] of value.entries()) {
        if (isLeaf(item) && !isReference && node === undefined) continue;
        open.push({ value: item, key, parent: place, node, isName: isReference, isReference });
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        const isReference = SAYS_SECRET.test(key);
        const node = place.node?.next.get(key);
        const isName = isReference || (place.isReference && NAME_KEYS.has(key.toLowerCase()));
        if (isLeaf(child) && !isName && node === undefined) continue;
        open.push({ value: child, key, parent: place, node, isName, isReference });
      }
    }
  }
  return [...found.values()];
}

function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function note(found: Map<string, SecretUse>, place: Place, secret: string): void {
  const use = place.node?.use ?? (place.isName ? 'Unknown' : undefined);
  if (use === undefined) return;
  const key = `${use}/${secret}`;
  if (!found.has(key)) found.set(key, { secret, use, field: fieldOf(place) });
}

function fieldOf(place: Place): string {
  const steps: string[] = [];
  for (let at: Place | undefined = place; at?.parent !== undefined; at = at.parent) {
    steps.push(typeof at.key === 'number' ? `[${at.key}]` : `.${at.key}`);
  }
  return steps.reverse().join('').replace(/^\./, '');
}
