import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAccessFiles } from '#cli/access-files.ts';
import { accessFolder, credential, POLICIES } from '../../test/cli/access-fixture.ts';
import type { AccessFolder } from '../../test/cli/access-fixture.ts';
import { captureIo } from '../../test/cli/capture-io.ts';

let folder: AccessFolder;
beforeAll(async () => {
  folder = await accessFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function read(text: string, namespace?: string, file = 'bad.yaml') {
  await folder.write(file, text);
  return readAccessFiles(captureIo({ cwd: folder.cwd }), [file], namespace);
}

const [DESK = ''] = POLICIES.split('---\n');

describe('readAccessFiles', () => {
  it('reads folders, all kinds, and passes over the others', async () => {
    const files = await readAccessFiles(captureIo({ cwd: folder.cwd }), ['prod'], undefined);
    expect(Object.fromEntries(Object.entries(files).map(([k, v]) => [k, v.length]))).toEqual({
      policies: 4,
      credentials: 2,
      namespaces: 1,
      roles: 1,
      roleBindings: 1,
      clusterRoles: 1,
      clusterRoleBindings: 1,
    });
  });

  it('reads lists as kubectl writes them', async () => {
    const indent = (text: string): string => text.replaceAll(/^(?=.)/gm, '    ');
    const list = `apiVersion: v1\nkind: List\nitems:\n  -\n${indent(credential('a'))}  -\n${indent(DESK)}`;
    expect(await read(list)).toMatchObject({
      policies: [{ metadata: { name: 'desk' } }],
      credentials: [{ metadata: { name: 'a' } }],
    });
    const typed = `apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleList\nitems:\n  - metadata: { name: r, namespace: a }\n    rules: null\n`;
    expect((await read(typed)).roles).toHaveLength(1);
  });

  it('reads stdin', async () => {
    const io = captureIo({ cwd: folder.cwd, stdin: DESK });
    expect((await readAccessFiles(io, ['-'], undefined)).policies).toHaveLength(1);
  });

  it('puts what names no namespace into the one that is given', async () => {
    const text = credential('a').replace(', namespace: trading', '');
    expect((await read(text, 'here')).credentials[0]?.metadata.namespace).toBe('here');
    await expect(read(text)).rejects.toThrow(
      /^bad\.yaml: ExchangeCredential a: metadata\.namespace: is required; add it, or give/,
    );
  });

  it('says what was found in a folder that holds no objects too', async () => {
    await folder.write('mixed/values.yaml', 'replicas: 2\n');
    await folder.write('mixed/policy.yaml', DESK);
    const io = captureIo({ cwd: folder.cwd });
    expect((await readAccessFiles(io, ['mixed'], undefined)).policies).toHaveLength(1);
    await expect(readAccessFiles(io, ['mixed/values.yaml'], undefined)).rejects.toThrow(
      /mixed\/values\.yaml: kind is missing/,
    );
  });

  it.each([
    [
      'a fault of a policy',
      DESK.replace('Write', 'Wriet'),
      /^bad\.yaml: AccessPolicy desk: .*spec\.accessLevel/,
    ],
    [
      'a fault in a later document',
      `${credential('a')}---\n${DESK.replace('Production', 'Prod')}`,
      /^bad\.yaml \(document 2\): AccessPolicy desk: .*spec\.environments/,
    ],
    [
      'a fault of a credential',
      credential('a').replace('PrivateKey', 'PublicKey'),
      /^bad\.yaml: ExchangeCredential trading\/a: .*spec\.type/,
    ],
    ['two of one name', `${DESK}---\n${DESK}`, /AccessPolicy desk: is in bad\.yaml too/],
    [
      'an unknown kind of ours',
      DESK.replace('AccessPolicy', 'AccessPolcy'),
      /^bad\.yaml: kind: unknown in strongroom\.dev/,
    ],
    ['another version of ours', DESK.replace('v1alpha1', 'v9'), /apiVersion/],
    ['what is no YAML', 'a: "canary\n', /^bad\.yaml: not valid YAML at line/],
    ['what is no object', 'canary\n', /^bad\.yaml: kind is missing/],
    [
      'a Role without verbs',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: r, namespace: a }\nrules: [ { resources: [ secrets ] } ]\n',
      /^bad\.yaml: Role a\/r: rules\[0\]\.verbs: must be a list of strings/,
    ],
    [
      'a binding to nothing',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: { name: r }\nsubjects: [ { kind: ServiceAccount, name: a } ]\n',
      /ClusterRoleBinding r: roleRef: must name .*\n.*subjects\[0\]\.namespace: is required/,
    ],
    [
      'an object without name',
      'apiVersion: v1\nkind: Namespace\nmetadata: {}\n',
      /Namespace without a name: metadata\.name: is required/,
    ],
  ])('names file, object and field of %s', async (_, text, message) => {
    const error: unknown = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(message) as unknown,
    });
    expect(String(error)).not.toContain('canary');
  });
});
