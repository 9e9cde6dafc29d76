import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createPolicyIndex } from '../../src/access/policy-index.ts';
import { policyOf } from '../../src/access/testing/builders.ts';
import { SETTINGS, credentialOf } from '../../src/admission/testing/core-objects.ts';
import { compileNamespaceAccess } from '../../src/admission/twin/compile-access.ts';
import { revisionPolicy } from '../../src/admission/twin/revision-policies.ts';
import { binary } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

const STATEFUL_SET = { apiVersion: 'apps/v1', kind: 'StatefulSet' };
/** Of its uid, by which alone the controller of StatefulSets knows its own. */
const DISGUISED = { apiVersion: 'example.com/v1', kind: 'StatefulSet' };
const CONTROLLER = 'system:serviceaccount:kube-system:statefulset-controller';

/** The policy of the twin, in the API server: ControllerRevisions by other people's names, dry-run. */
describe('ControllerRevisions', () => {
  const cleanup = new AsyncDisposableStack();
  let namespace: TestNamespace;
  let directory = '';

  async function kubectl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(await binary('kubectl'), [
      '--kubeconfig',
      inject('kubeconfig'),
      ...args,
    ]);
    return stdout;
  }

  async function apply(name: string, object: unknown, ...args: readonly string[]): Promise<void> {
    const file = path.join(directory, name);
    await writeFile(file, JSON.stringify(object));
    await kubectl('create', '-f', file, ...args);
  }

  /** `undefined` where it is let through, and the refusal otherwise. */
  async function create(
    username: string,
    owner: typeof STATEFUL_SET | undefined,
  ): Promise<string | undefined> {
    const revision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: 'maker-1',
        namespace: namespace.name,
        ownerReferences:
          owner === undefined ? [] : [{ ...owner, name: 'maker', uid: 'c0ffee', controller: true }],
      },
      data: { spec: { template: { spec: { serviceAccountName: 'maker' } } } },
      revision: 2,
    };
    try {
      const as = ['--as', username, '--as-group', 'writers', '--dry-run=server'];
      await apply('revision.json', revision, ...as);
      return undefined;
    } catch (error) {
      return String((error as { readonly stderr?: string }).stderr);
    }
  }

  beforeAll(async () => {
    directory = cleanup.use(await mkdtempDisposable(path.join(tmpdir(), 'revisions-'))).path;
    const client = await connect();
    namespace = cleanup.use(
      await createNamespace(client, 'revisions', { 'strongroom.dev/guarded': 'true' }),
    );
    const remove = (kind: string, name: string): void =>
      cleanup.defer(async () => {
        await kubectl('delete', kind, name, '--ignore-not-found');
      });
    const access = compileNamespaceAccess(
      createPolicyIndex([
        policyOf(
          {
            subjects: [
              { kind: 'User', name: 'alice' },
              { kind: 'ServiceAccount', namespace: namespace.name, name: 'maker' },
            ],
          },
          'desk',
        ),
      ]),
      namespace.name,
      [credentialOf('maker', {}, namespace.name)],
    );
    await apply('access.json', {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'NamespaceAccess',
      metadata: { name: 'strongroom', namespace: namespace.name },
      spec: access,
    });
    await apply('writers.json', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'writers', namespace: namespace.name },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'cluster-admin',
      },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'writers' }],
    });
    const [policy, binding] = revisionPolicy(SETTINGS);
    await apply('policy.json', policy);
    remove('validatingadmissionpolicy', policy.metadata.name);
    await apply('binding.json', binding);
    remove('validatingadmissionpolicybinding', binding.metadata.name);
    await eventually(() => create('bob', STATEFUL_SET), {
      what: 'the policy to be in force',
      timeoutMs: 60_000,
    });
  });

  afterAll(() => cleanup.disposeAsync());

  it.each([
    ['bob', STATEFUL_SET, false],
    ['bob', undefined, false],
    ['bob', DISGUISED, false],
    ['alice', STATEFUL_SET, true],
    ['alice', undefined, true],
    [CONTROLLER, STATEFUL_SET, true],
    [CONTROLLER, undefined, false],
  ])('of %s, owned by %o: let through %s', async (username, owner, isAllowed) => {
    const refusal = await create(username, owner);
    expect(refusal ?? '').toMatch(
      isAllowed ? /^$/ : `${username} needs all that any of them may do by AccessPolicies`,
    );
  });
});
