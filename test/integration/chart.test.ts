import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { binary } from '../cluster/index.ts';

const chart = path.resolve(import.meta.dirname, '../../charts/strongroom');
const execute = promisify(execFile);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
  readonly rules?: readonly Rule[];
  readonly spec?: unknown;
}

let helm: string;
beforeAll(async () => {
  helm = await binary('helm');
});

async function render(...sets: readonly string[]): Promise<readonly Manifest[]> {
  const { stdout } = await execute(
    helm,
    [
      'template',
      'strongroom',
      chart,
      '--namespace',
      'strongroom-system',
      ...['image.repository=localhost/strongroom', ...sets].flatMap((set) => ['--set', set]),
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  return [...parseAllDocuments(stdout)]
    .map((document) => document.toJS() as Manifest | null)
    .filter((m) => m !== null);
}

function ruleText({ apiGroups, resources, resourceNames, verbs }: Rule): string {
  const group = apiGroups.map((name) => (name === '' ? 'core' : name)).join(',');
  return `${group}/${resources.join(',')}${resourceNames === undefined ? '' : `[${resourceNames.join(',')}]`}: ${verbs.join(' ')}`;
}

describe('chart', () => {
  it('passes lint', async () => {
    const { stdout } = await execute(helm, [
      'lint',
      chart,
      '--strict',
      '--set',
      'image.repository=localhost/strongroom',
    ]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  it('grants these rights and no other (invariant 4)', async () => {
    const roles = (await render()).filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    const snapshot = Object.fromEntries(
      roles.map(({ kind, metadata, rules }) => [
        `${kind} ${metadata.name}`,
        (rules ?? []).map(ruleText),
      ]),
    );
    expect(snapshot).toMatchInlineSnapshot(`
      {
        "ClusterRole strongroom-guarded-namespace": [
          "core/secrets: get list watch create patch delete",
          "core/pods: get list watch",
        ],
        "ClusterRole strongroom-operator": [
          "strongroom.dev/exchangecredentials: get list watch patch",
          "strongroom.dev/exchangecredentials/status: patch",
          "core/namespaces: get list watch",
          "events.k8s.io/events: create patch",
          "rbac.authorization.k8s.io/rolebindings: create",
          "rbac.authorization.k8s.io/rolebindings[strongroom]: get patch delete",
          "rbac.authorization.k8s.io/clusterroles[strongroom-guarded-namespace]: bind",
        ],
        "Role strongroom-operator": [
          "core/secrets: get list watch create update patch delete",
          "core/configmaps: create",
          "core/configmaps[strongroom-seal-keys]: get update patch",
          "coordination.k8s.io/leases: create",
          "coordination.k8s.io/leases[strongroom-operator]: get update patch",
        ],
        "Role strongroom-seal-keys": [
          "core/configmaps[strongroom-seal-keys]: get",
        ],
      }
    `);
  });

  it('gives no cluster-wide right on Secrets, no escalation and no wildcard', async () => {
    const roles = (await render()).filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    const bound = (await render())
      .filter(({ kind }) => kind === 'ClusterRoleBinding')
      .map((binding) => (binding as unknown as { roleRef: { name: string } }).roleRef.name);
    expect(bound).toEqual(['strongroom-operator']);
    const clusterWide = roles
      .filter(({ kind, metadata }) => kind === 'ClusterRole' && bound.includes(metadata.name))
      .flatMap(({ rules }) => rules ?? []);
    expect(clusterWide.filter(({ resources }) => resources.includes('secrets'))).toEqual([]);
    const all = roles.flatMap(({ rules }) => rules ?? []);
    expect(
      all.filter(({ verbs }) => verbs.includes('bind')).map(({ resourceNames }) => resourceNames),
    ).toEqual([['strongroom-guarded-namespace']]);
    for (const rule of all) {
      expect([...rule.verbs, ...rule.resources, ...rule.apiGroups]).not.toContain('*');
      expect(rule.verbs).not.toContain('escalate');
      expect(rule.verbs).not.toContain('impersonate');
    }
  });

  it('runs pods that the restricted pod security standard admits', async () => {
    const deployment = (await render()).find(({ kind }) => kind === 'Deployment');
    expect(deployment?.spec).toMatchObject({
      replicas: 2,
      template: {
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    });
  });

  it('keeps the CustomResourceDefinitions when it is uninstalled', async () => {
    const crds = (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crds.map(({ metadata }) => metadata.name)).toEqual([
      'exchangecredentials.strongroom.dev',
    ]);
    expect(crds[0]?.metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
  });

  it.each([
    ['no image', 'image.repository=', /image\.repository is needed/],
    ['an unknown value', 'replica=3', /replica/],
    ['an unknown nested value', 'config.loglevel=debug', /loglevel/],
    ['a wrong type', 'replicas=many', /replicas/],
    ['no duration', 'config.sourceRefresh=soon', /sourceRefresh/],
    [
      'a passphrase provider without its Secret',
      'config.keyProvider.name=passphrase',
      /passphraseSecret/,
    ],
  ])('refuses %s', async (_, set, message) => {
    await expect(render(set)).rejects.toThrow(message);
  });

  it('mounts the passphrase, and adds monitoring where it is asked for', async () => {
    const manifests = await render(
      'config.keyProvider.name=passphrase',
      'config.keyProvider.passphraseSecret=unlock',
      'metrics.serviceMonitor.enabled=true',
      'metrics.alertRules.enabled=true',
    );
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceMonitor', 'PrometheusRule']),
    );
    expect(JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'))).toContain(
      '"secretName":"unlock"',
    );
    expect(
      JSON.stringify(
        manifests.find(
          ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'strongroom-operator',
        ),
      ),
    ).toContain('passphraseFile');
  });
});
