/** Reads what decides about access from YAML files: what would be applied, or what was exported. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Fault } from '#api/validate.ts';
import { usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { readNamedFile } from '#cli/read-file.ts';
import { parseYamlDocuments, toPlain } from '#cli/yaml.ts';
import type { ClusterRole, Namespace, Role, RoleBinding } from '#kube/objects.ts';

/** The kinds that are read, as they are listed. */
export interface AccessFiles {
  readonly policies: readonly AccessPolicy[];
  readonly credentials: readonly ExchangeCredential[];
  readonly namespaces: readonly Namespace[];
  readonly roles: readonly Role[];
  readonly roleBindings: readonly RoleBinding[];
  readonly clusterRoles: readonly ClusterRole[];
  readonly clusterRoleBindings: readonly RoleBinding[];
}

type Kind =
  | 'AccessPolicy'
  | 'ExchangeCredential'
  | 'Namespace'
  | 'Role'
  | 'RoleBinding'
  | 'ClusterRole'
  | 'ClusterRoleBinding'
  | 'ServiceAccount';

const RBAC = 'rbac.authorization.k8s.io/v1';
const KINDS: Readonly<Record<Kind, { readonly apiVersion: string; readonly namespaced: boolean }>> =
  {
    AccessPolicy: { apiVersion: 'strongroom.dev/v1alpha1', namespaced: false },
    ExchangeCredential: { apiVersion: 'strongroom.dev/v1alpha1', namespaced: true },
    Namespace: { apiVersion: 'v1', namespaced: false },
    Role: { apiVersion: RBAC, namespaced: true },
    RoleBinding: { apiVersion: RBAC, namespaced: true },
    ClusterRole: { apiVersion: RBAC, namespaced: false },
    ClusterRoleBinding: { apiVersion: RBAC, namespaced: false },
    ServiceAccount: { apiVersion: 'v1', namespaced: true },
  };

/** An object as it stands in a file, before anything is known of it. */
interface Found {
  readonly kind: Kind;
  readonly object: Record<string, unknown>;
  /** The file, and where in it. */
  readonly place: string;
}

/**
 * The objects of files, folders and, named `-`, of stdin; kinds that say nothing about access are passed over. Objects
 * without a namespace are in `namespace`. Throws a usage error with every fault that is found.
 */
export async function readAccessFiles(
  io: Io,
  paths: readonly string[],
  namespace: string | undefined,
): Promise<AccessFiles> {
  const { validateAccessPolicy, validateExchangeCredential } = await import('#api/index.ts');
  const found: Found[] = [];
  for (const file of await filesOf(io, paths)) {
    const bytes = file.name === '-' ? await buffer(io.stdin) : await readNamedFile(io, file.name);
    found.push(...objectsIn(bytes.toString('utf8'), file));
  }
  const faults: string[] = [];
  const seen = new Map<string, string>();
  const objects = new Map<Kind, unknown[]>();
  for (const { kind, object, place } of found) {
    const placed = KINDS[kind].namespaced ? inNamespace(object, namespace) : object;
    const problems: readonly Fault[] =
      kind === 'AccessPolicy'
        ? validateAccessPolicy(placed)
        : kind === 'ExchangeCredential'
          ? validateExchangeCredential(placed)
          : plainFaults(kind, placed);
    const name = nameOf(placed);
    const label = `${place}: ${kind} ${name ?? 'without a name'}`;
    for (const { path: field, message } of [...problems, ...placeFaults(kind, placed)]) {
      faults.push(`${label}: ${message.startsWith(field) ? '' : `${field}: `}${message}`);
    }
    const key = `${kind} ${name}`;
    const other = seen.get(key);
    if (other !== undefined) faults.push(`${label}: is in ${other} too; which one is meant?`);
    seen.set(key, place);
    objects.set(kind, [...(objects.get(kind) ?? []), placed]);
  }
  if (faults.length > 0) throw usageError([...new Set(faults)].join('\n'));
  const all = (kind: Kind): readonly unknown[] => objects.get(kind) ?? [];
  return {
    policies: all('AccessPolicy') as readonly AccessPolicy[],
    credentials: all('ExchangeCredential') as readonly ExchangeCredential[],
    namespaces: all('Namespace') as readonly Namespace[],
    roles: all('Role') as readonly Role[],
    roleBindings: all('RoleBinding') as readonly RoleBinding[],
    clusterRoles: all('ClusterRole') as readonly ClusterRole[],
    clusterRoleBindings: all('ClusterRoleBinding') as readonly RoleBinding[],
  };
}

interface NamedFile {
  /** As the person would name it. */
  readonly name: string;
  /** Found in a folder, where files that hold no objects may be, too. */
  readonly isListed: boolean;
}

async function filesOf(io: Io, paths: readonly string[]): Promise<readonly NamedFile[]> {
  const files: NamedFile[] = [];
  for (const named of paths) {
    if (named === '-') {
      files.push({ name: named, isListed: false });
      continue;
    }
    const absolute = path.resolve(io.cwd, named);
    const info = await stat(absolute).catch(() => undefined);
    if (info === undefined || !info.isDirectory()) {
      // What is not there is told by whoever reads it.
      files.push({ name: named, isListed: false });
      continue;
    }
    const inside = (await readdir(absolute, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name))
      .map((entry) => path.relative(absolute, path.join(entry.parentPath, entry.name)))
      .sort();
    if (inside.length === 0) throw usageError(`${named}: no .yaml, .yml or .json file is in it`);
    files.push(...inside.map((file) => ({ name: path.join(named, file), isListed: true })));
  }
  return files;
}

function objectsIn(text: string, { name: file, isListed }: NamedFile): readonly Found[] {
  return parseYamlDocuments(text, file).flatMap((document, index) => {
    const object = toPlain(document, file);
    const place = index === 0 ? file : `${file} (document ${index + 1})`;
    // Nothing but comments between two separators.
    if (object === null || object === undefined) return [];
    return readObject(object, place, isListed);
  });
}

function readObject(object: unknown, place: string, isListed: boolean): readonly Found[] {
  if (!isRecord(object) || typeof object['kind'] !== 'string') {
    if (isListed) return [];
    throw usageError(`${place}: kind is missing; this is no object of Kubernetes`);
  }
  const { kind, apiVersion } = object;
  // What "kubectl get -o yaml" writes.
  if (kind.endsWith('List') && Array.isArray(object['items'])) {
    return object['items'].flatMap((item: unknown, index) => {
      // Items of a typed list need not repeat their kind.
      const whole =
        isRecord(item) && item['kind'] === undefined && kind !== 'List'
          ? { apiVersion, kind: kind.slice(0, -'List'.length), ...item }
          : item;
      return readObject(whole, `${place}, item ${index + 1}`, isListed);
    });
  }
  const group = typeof apiVersion === 'string' ? apiVersion.split('/')[0] : '';
  if (!isKind(kind) || group !== KINDS[kind].apiVersion.split('/')[0]) {
    if (group !== 'strongroom.dev') return [];
    throw usageError(
      `${place}: kind: unknown in strongroom.dev; AccessPolicy or ExchangeCredential is meant?`,
    );
  }
  return [{ kind, object, place }];
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}

function inNamespace(
  object: Record<string, unknown>,
  namespace: string | undefined,
): Record<string, unknown> {
  const { metadata } = object;
  if (namespace === undefined || !isRecord(metadata) || metadata['namespace'] !== undefined) {
    return object;
  }
  return { ...object, metadata: { ...metadata, namespace } };
}

function nameOf({ metadata }: Record<string, unknown>): string | undefined {
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string') return undefined;
  const { name, namespace } = metadata;
  return typeof namespace === 'string' ? `${namespace}/${name}` : name;
}

function placeFaults(kind: Kind, object: Record<string, unknown>): readonly Fault[] {
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  const namespace = metadata['namespace'];
  const faults: Fault[] = [];
  if (KINDS[kind].namespaced && (typeof namespace !== 'string' || namespace === '')) {
    faults.push({
      path: 'metadata.namespace',
      message: 'is required; add it, or give it with --namespace',
    });
  }
  if (object['apiVersion'] !== KINDS[kind].apiVersion) {
    faults.push({ path: 'apiVersion', message: `must be ${KINDS[kind].apiVersion}` });
  }
  return faults;
}

/** What must hold of the kinds of Kubernetes itself so that they can be evaluated. */
function plainFaults(kind: Kind, object: Record<string, unknown>): readonly Fault[] {
  const faults: Fault[] = [];
  const metadata = object['metadata'];
  if (!isRecord(metadata) || !isText(metadata['name'])) {
    faults.push({ path: 'metadata.name', message: 'is required; add it' });
  }
  if (kind === 'Role' || kind === 'ClusterRole') {
    for (const [index, rule] of entries(object['rules'], 'rules', faults)) {
      const at = `rules[${index}]`;
      if (!isRecord(rule)) faults.push({ path: at, message: 'must be of type object' });
      else {
        for (const member of ['apiGroups', 'resources', 'resourceNames', 'nonResourceURLs']) {
          if (rule[member] !== undefined && !isTexts(rule[member]))
            faults.push({ path: `${at}.${member}`, message: 'must be a list of strings' });
        }
        if (!isTexts(rule['verbs']))
          faults.push({ path: `${at}.verbs`, message: 'must be a list of strings' });
      }
    }
  }
  if (kind === 'RoleBinding' || kind === 'ClusterRoleBinding') {
    const roleRef = object['roleRef'];
    if (!isRecord(roleRef) || !isText(roleRef['kind']) || !isText(roleRef['name'])) {
      faults.push({ path: 'roleRef', message: 'must name a kind and a name' });
    }
    for (const [index, subject] of entries(object['subjects'], 'subjects', faults)) {
      if (!isRecord(subject) || !isText(subject['kind']) || !isText(subject['name'])) {
        faults.push({ path: `subjects[${index}]`, message: 'must name a kind and a name' });
      } else if (subject['kind'] === 'ServiceAccount' && !isText(subject['namespace'])) {
        faults.push({ path: `subjects[${index}].namespace`, message: 'is required; add it' });
      }
    }
  }
  return faults;
}

function entries(
  value: unknown,
  at: string,
  faults: Fault[],
): readonly (readonly [number, unknown])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return [...value.entries()];
  faults.push({ path: at, message: 'must be a list' });
  return [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
