import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../../src/cli/run.ts';
import { captureIo } from './capture-io.ts';

export const POLICIES = `# who may do what in trading
apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: desk, uid: 5e9e }
spec:
  subjects:
    - { kind: Group, name: desk-mm }
    - { kind: ServiceAccount, namespace: trading, name: maker }
  permissions: [ AccessSecrets ]
  accessLevel: Write
  environments: [ Production ]
  credentials: { namespaces: [ trading ], names: [ maker ] }
---
apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: security }
spec:
  subjects: [ { kind: User, name: sofia } ]
  roles: [ SecurityAdmin ]
  accessLevel: Admin
  environments: [ Development, Staging, Production ]
  credentials: { namespaces: [ "*" ] }
---
apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: office }
spec:
  subjects: [ { kind: User, name: otto } ]
  permissions: [ AccessSecrets ]
  accessLevel: Read
  environments: [ Production ]
  credentials: { namespaces: [ trading ] }
  constraints: { sourceRanges: [ 10.20.0.0/16 ] }
---
apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: no-taker }
spec:
  effect: Deny
  subjects: [ { kind: User, name: otto } ]
  permissions: [ AccessSecrets ]
  environments: [ Production ]
  credentials: { namespaces: [ trading ], names: [ taker ] }
`;

export function credential(name: string, namespace = 'trading'): string {
  return `apiVersion: strongroom.dev/v1alpha1
kind: ExchangeCredential
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  exchange: Hyperliquid
  type: PrivateKey
  environment: Production
  owner: market-making
  source: { generate: {} }
  delivery: { secret: { name: ${name}-secret } }
`;
}

export const RBAC = `apiVersion: v1
kind: Namespace
metadata: { name: trading, labels: { strongroom.dev/guarded: "true" } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: debug, namespace: trading }
rules: [ { apiGroups: [ "" ], resources: [ secrets ], verbs: [ get, list ] } ]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: debug, namespace: trading }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: debug }
subjects: [ { apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory } ]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: kubelets }
rules: [ { apiGroups: [ "" ], resources: [ nodes/proxy ], verbs: [ get ] } ]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: kubelets }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kubelets }
subjects: [ { apiGroup: rbac.authorization.k8s.io, kind: Group, name: monitoring } ]
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: maker, namespace: trading }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: maker, namespace: trading }
`;

export const NOW: number = Date.parse('2026-11-24T12:00:00Z');

export interface AccessFolder extends AsyncDisposable {
  readonly cwd: string;
  write(name: string, text: string): Promise<void>;
  /** Runs a command line there. */
  run(...argv: readonly string[]): Promise<Ran>;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A folder with `prod/`: policies, the credentials maker and taker, and RBAC. */
export async function accessFolder(): Promise<AccessFolder> {
  const cwd = await mkdtemp(path.join(tmpdir(), 'strongroom-access-'));
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(path.dirname(path.join(cwd, name)), { recursive: true });
    await writeFile(path.join(cwd, name), text);
  };
  await write('prod/policies.yaml', POLICIES);
  await write('prod/credentials.yaml', `${credential('maker')}---\n${credential('taker')}`);
  await write('prod/cluster/rbac.yml', RBAC);
  return {
    cwd,
    write,
    async run(...argv) {
      const io = captureIo({ cwd, now: NOW });
      const code = await run(io, argv);
      return { code, out: io.out(), err: io.err() };
    },
    [Symbol.asyncDispose]: () => rm(cwd, { recursive: true, force: true }),
  };
}
