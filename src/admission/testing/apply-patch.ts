import type { JsonPatchOperation } from '#kube/client.ts';

/** Applies a JSON patch as RFC 6902 says, but for `move` and `copy`; throws where the API server would refuse it. */
export function applyPatch<T>(object: T, patch: readonly JsonPatchOperation[]): T {
  const root = structuredClone(object);
  for (const { op, path, value } of patch) {
    const tokens = path.split('/').slice(1).map(unescape);
    const last = tokens.pop();
    if (last === undefined) throw new Error('the whole object cannot be patched');
    const parent = tokens.reduce<unknown>((at, token) => memberOf(at, token, path), root);
    if (typeof parent !== 'object' || parent === null) throw new Error(`no parent of ${path}`);
    const record = parent as Record<string, unknown>;
    const isThere = Object.hasOwn(record, last);
    if (op !== 'add' && !isThere) throw new Error(`nothing at ${path}`);
    if (op === 'test' && record[last] !== value) throw new Error(`another value at ${path}`);
    if (op === 'remove') delete record[last];
    else if (op !== 'test') record[last] = value;
  }
  return root;
}

function unescape(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

function memberOf(at: unknown, token: string, path: string): unknown {
  if (typeof at !== 'object' || at === null || !Object.hasOwn(at, token)) {
    throw new Error(`nothing at ${path}`);
  }
  return (at as Record<string, unknown>)[token];
}
