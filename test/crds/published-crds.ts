/**
 * The CRDs that projects publish, out of their Go modules. Each folder beside this file is a module
 * that pins one version by checksum; nothing of theirs is kept here.
 */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/kube/objects.ts';

export interface Crd extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string }[];
  };
}

const run = promisify(execFile);
const FOLDERS = {
  cilium: 'pkg/k8s/apis/cilium.io/client/crds',
  'cilium-1.15': 'pkg/k8s/apis/cilium.io/client/crds',
  'calico-3.28': 'libcalico-go/config/crd',
  'cluster-network-policy': 'config/crd/standard',
  'cluster-network-policy-0.2': 'config/crd/standard',
} as const;

/**
 * All CRDs in the YAML files of a module; `names` picks some.
 *
 * @throws Error with what Go says where the module is not to be had or is not the pinned one
 */
export async function publishedCrds(
  source: keyof typeof FOLDERS,
  names: readonly string[],
): Promise<readonly Crd[]> {
  const folder = path.join(await moduleFolder(source), FOLDERS[source]);
  const files = (await readdir(folder, { recursive: true })).filter((file) =>
    file.endsWith('.yaml'),
  );
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  return pick(source, texts, names);
}

/**
 * Calico's CRDs with tiers, which no module that can be had holds as YAML: made of its API's Go
 * types by controller-gen, as Calico makes them. The types do not say their scope to it; all of
 * `names` are cluster-scoped. Those behind Calico's API server, `crd.projectcalico.org`, are made of
 * the same types.
 */
export async function calicoCrds(
  group: 'projectcalico.org' | 'crd.projectcalico.org',
  plurals: readonly string[],
): Promise<readonly Crd[]> {
  const directory = path.join(import.meta.dirname, 'calico');
  const { stdout } = await run(
    'go',
    [
      'tool',
      'controller-gen',
      // Orders of tiers and policies are floating-point numbers.
      'crd:allowDangerousTypes=true',
      'paths=github.com/projectcalico/api/pkg/apis/projectcalico/v3',
      'output:crd:stdout',
    ],
    {
      cwd: directory,
      env: { ...process.env, CGO_ENABLED: '0' },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const crds = pick(
    'calico',
    [stdout],
    plurals.map((plural) => `${plural}.projectcalico.org`),
  );
  const version = group === 'projectcalico.org' ? 'v3' : 'v1';
  return crds.map(({ spec, ...crd }) => ({
    ...crd,
    metadata: { name: `${spec.names.plural}.${group}` },
    spec: {
      ...spec,
      group,
      scope: 'Cluster',
      versions: spec.versions.map((one) => ({ ...one, name: version })),
    },
  }));
}

/** Where Go has unpacked the module that the folder's go.mod requires. */
async function moduleFolder(source: string): Promise<string> {
  const options = { cwd: path.join(import.meta.dirname, source) };
  const { stdout: modText } = await run('go', ['mod', 'edit', '-json'], options);
  const { Require } = JSON.parse(modText) as {
    readonly Require: readonly [{ readonly Path: string; readonly Version: string }];
  };
  const [{ Path, Version }] = Require;
  // Its message stands in what it prints as JSON, and it ends with 1 then.
  const { stdout } = await run('go', ['mod', 'download', '-json', `${Path}@${Version}`], options).catch(
    (error: unknown) => {
      if (error instanceof Error && 'stdout' in error) return { stdout: String(error.stdout) };
      throw error;
    },
  );
  const { Dir, Error: fault } = JSON.parse(stdout) as {
    readonly Dir?: string;
    readonly Error?: string;
  };
  if (Dir === undefined || fault !== undefined) {
    throw new Error(`${Path}@${Version} could not be had: ${fault ?? 'Go names no folder'}`);
  }
  return Dir;
}

function pick(source: string, texts: readonly string[], names: readonly string[]): readonly Crd[] {
  const crds = texts
    .flatMap((text) => parseAllDocuments(text))
    .map((document) => document.toJS() as Crd | null)
    .filter((object) => object?.kind === 'CustomResourceDefinition') as readonly Crd[];
  return names.map((name) => {
    const found = crds.find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`${source} publishes no CRD ${name}`);
    return found;
  });
}
