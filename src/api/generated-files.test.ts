import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ACCESS_SPEC_RULES } from '#api/access-policy-rules.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { EMERGENCY_SPEC_RULES } from '#api/emergency-access-rules.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { SPEC_RULES } from '#api/exchange-credential-rules.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { fieldsOf, CREDENTIAL_TYPES } from '#api/fields.ts';
import { generatedFiles } from '#api/generated-files.ts';
import { IP_BLOCK_SPEC_RULES } from '#api/ip-block-rules.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import {
  ACCESS_FINDINGS,
  ACCESS_POLICY_CONDITION_TYPES,
  ACCESS_POLICY_REASONS,
  ANNOTATIONS,
  API_VERSION,
  EMERGENCY_ACCESS_CONDITION_TYPES,
  EMERGENCY_ACCESS_REASONS,
  GROUP,
  IP_BLOCK_CONDITION_TYPES,
  IP_BLOCK_REASONS,
  NETWORK_GAPS,
  VERSION,
} from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import { PERMISSIONS, ROLES } from '#api/roles.ts';
import { BAD_POLICIES, GOOD_POLICIES } from '../../test/samples/access-policies.ts';
import { BAD_EMERGENCIES, GOOD_EMERGENCIES } from '../../test/samples/emergency-accesses.ts';
import { BAD, GOOD } from '../../test/samples/exchange-credentials.ts';
import { BAD_BLOCKS, GOOD_BLOCKS } from '../../test/samples/ip-blocks.ts';

const root = path.resolve(import.meta.dirname, '../..');
const files = new Map(generatedFiles().map(({ file, text }) => [file, text]));
const crdText = files.get('crds/strongroom.dev_exchangecredentials.yaml') ?? '';

describe('generated files', () => {
  test.each(generatedFiles())('$file is up to date', async ({ file, text }) => {
    expect(await readFile(path.join(root, file), 'utf8')).toBe(text);
  });

  test('are named by --check when they are stale, and left as they are', async () => {
    const copy = await mkdtemp(path.join(tmpdir(), 'strongroom-generate-'));
    onTestFinished(() => rm(copy, { recursive: true }));
    await cp(path.join(root, 'src/api'), path.join(copy, 'src/api'), { recursive: true });
    await cp(path.join(root, 'package.json'), path.join(copy, 'package.json'));
    await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    const generate = (...args: readonly string[]): Promise<{ readonly stderr: string }> =>
      promisify(execFile)(process.execPath, [path.join(copy, 'src/api/generate.ts'), ...args]);

    await generate();
    await expect(generate('--check')).resolves.toMatchObject({ stderr: '' });
    const [first = { file: '' }] = generatedFiles().slice(1);
    await writeFile(path.join(copy, first.file), 'edited by hand');
    await expect(generate('--check')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${first.file} is out of date`),
    });
    expect(await readFile(path.join(copy, first.file), 'utf8')).toBe('edited by hand');
  }, 60_000);
});

describe('the CRD', () => {
  test('is named as the code names it', () => {
    const { metadata, spec } = parse(crdText);
    expect(metadata.name).toBe(`${EXCHANGE_CREDENTIALS.plural}.${EXCHANGE_CREDENTIALS.group}`);
    expect(spec.group).toBe(GROUP);
    expect(spec.names).toEqual({
      kind: 'ExchangeCredential',
      listKind: 'ExchangeCredentialList',
      plural: 'exchangecredentials',
      singular: 'exchangecredential',
      shortNames: ['xc'],
      categories: ['strongroom'],
    });
    expect(API_VERSION).toBe(`${GROUP}/${VERSION}`);
  });

  test('carries every rule of the spec with its message', () => {
    const [version] = parse(crdText).spec.versions;
    const { spec } = version.schema.openAPIV3Schema.properties;
    expect(spec['x-kubernetes-validations']).toHaveLength(SPEC_RULES.length);
    for (const { cel, message } of SPEC_RULES) {
      expect(spec['x-kubernetes-validations']).toContainEqual(
        expect.objectContaining({ rule: cel, message }),
      );
    }
  });

  test('fills in nothing, and matches nothing whose failure would repeat a value', () => {
    const keywords = new Set<string>();
    JSON.stringify(parse(crdText), (key, value: unknown) => {
      keywords.add(key);
      return value;
    });
    for (const keyword of ['default', 'pattern', 'title', 'anyOf', 'oneOf', 'nullable']) {
      expect(keywords).not.toContain(keyword);
    }
    expect(crdText).not.toContain('x-strongroom');
  });

  test('names the field in every message of a rule', () => {
    const messages: string[] = [];
    JSON.stringify(parse(crdText), (key, value: unknown) => {
      if (key === 'message' && typeof value === 'string') messages.push(value);
      return value;
    });
    expect(messages.length).toBeGreaterThan(25);
    for (const message of messages) expect(message).toMatch(/^spec\.[a-z]/);
  });
});

describe('the JSON Schema', () => {
  const schema = JSON.parse(files.get('schemas/exchangecredential.json') ?? '{}');

  test('knows no fields but those of the CRD', () => {
    const [version] = parse(crdText).spec.versions;
    const { spec } = version.schema.openAPIV3Schema.properties;
    expect(Object.keys(schema.properties.spec.properties)).toEqual(Object.keys(spec.properties));
    expect(schema.properties.spec.additionalProperties).toBe(false);
    expect(schema.properties.spec.required).toEqual(spec.required);
  });

  test.each(Object.entries(GOOD))('takes %s', (_what, object) => {
    expect(z.fromJSONSchema(schema).safeParse(object).error).toBeUndefined();
  });

  test.each(
    BAD.filter(({ what }) =>
      /^(sealed: a plaintext|source: a text|state|history|a field)/.test(what),
    ),
  )('refuses $what', ({ object }) => {
    expect(z.fromJSONSchema(schema).safeParse(object).success).toBe(false);
  });

  test('shows patterns and unions, which the CRD has as rules', () => {
    const { source, owner } = schema.properties.spec.properties;
    expect(source).toMatchObject({ minProperties: 1, maxProperties: 1 });
    expect(owner).toMatchObject({
      pattern: expect.any(String),
      patternErrorMessage: expect.stringContaining('spec.owner'),
    });
  });
});

describe('the reference page', () => {
  const page = files.get('docs/reference/exchangecredential.md') ?? '';

  test('has every type with its fields', () => {
    for (const type of CREDENTIAL_TYPES) {
      expect(page).toContain(`| \`${type}\` |`);
      for (const field of fieldsOf(type)) expect(page).toContain(`\`${field}\``);
    }
  });

  test('has every rule', () => {
    for (const { message } of SPEC_RULES) expect(page).toContain(message);
  });
});

describe('the files of AccessPolicy', () => {
  const text = files.get('crds/strongroom.dev_accesspolicies.yaml') ?? '';
  const { metadata, spec } = parse(text);
  const [version] = spec.versions;
  const schema = JSON.parse(files.get('schemas/accesspolicy.json') ?? '{}');
  const page = files.get('docs/reference/accesspolicy.md') ?? '';

  test('name it as the code names it', () => {
    expect(metadata.name).toBe(`${ACCESS_POLICIES.plural}.${ACCESS_POLICIES.group}`);
    expect(spec.scope).toBe('Cluster');
    expect(spec.names).toEqual({
      kind: 'AccessPolicy',
      listKind: 'AccessPolicyList',
      plural: 'accesspolicies',
      singular: 'accesspolicy',
      shortNames: ['xap'],
      categories: ['strongroom'],
    });
    expect(version.name).toBe(ACCESS_POLICIES.version);
  });

  test('fill in nothing, and name the field in every message of a rule', () => {
    const keywords = new Set<string>();
    const messages: string[] = [];
    JSON.stringify(parse(text), (key, value: unknown) => {
      keywords.add(key);
      if (key === 'message' && typeof value === 'string') messages.push(value);
      return value;
    });
    for (const keyword of ['default', 'pattern', 'title', 'anyOf', 'oneOf', 'nullable']) {
      expect(keywords).not.toContain(keyword);
    }
    expect(messages.length).toBeGreaterThan(25);
    for (const message of messages) expect(message).toMatch(/^spec\.[a-z]/);
  });

  test('carry every rule of the spec, the page with its message', () => {
    const rules = version.schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'];
    expect(rules).toHaveLength(ACCESS_SPEC_RULES.length);
    for (const { message } of ACCESS_SPEC_RULES) expect(page).toContain(message);
  });

  test.each(Object.entries(GOOD_POLICIES))('the JSON Schema takes %s', (_what, object) => {
    expect(z.fromJSONSchema(schema).safeParse(object).error).toBeUndefined();
  });

  test.each(
    BAD_POLICIES.filter(({ what }) =>
      /^(roles: unknown|environments: unknown|constraints: the schedule "|a field)/.test(what),
    ),
  )('the JSON Schema refuses $what', ({ object }) => {
    expect(z.fromJSONSchema(schema).safeParse(object).success).toBe(false);
  });

  test('the page has the matrix of roles, every condition, reason, finding and gap', () => {
    for (const role of ROLES) expect(page).toContain(` ${role} |`);
    for (const name of [
      ...PERMISSIONS,
      ...ACCESS_POLICY_CONDITION_TYPES,
      ...Object.keys(ACCESS_POLICY_REASONS),
      ...Object.keys(ACCESS_FINDINGS),
      ...Object.keys(NETWORK_GAPS),
    ]) {
      expect(page).toContain(`| \`${name}\` |`);
    }
  });
});

describe('the files of IPBlock', () => {
  const text = files.get('crds/strongroom.dev_ipblocks.yaml') ?? '';
  const { metadata, spec } = parse(text);
  const [version] = spec.versions;
  const schema = JSON.parse(files.get('schemas/ipblock.json') ?? '{}');
  const page = files.get('docs/reference/ipblock.md') ?? '';

  test('name it as the code names it', () => {
    expect(metadata.name).toBe(`${IP_BLOCKS.plural}.${IP_BLOCKS.group}`);
    expect(spec.scope).toBe('Cluster');
    expect(spec.names).toEqual({
      kind: 'IPBlock',
      listKind: 'IPBlockList',
      plural: 'ipblocks',
      singular: 'ipblock',
      shortNames: ['ipb'],
      categories: ['strongroom'],
    });
    expect(version.name).toBe(IP_BLOCKS.version);
  });

  test('fill in nothing, and name the field in every message of a rule', () => {
    const keywords = new Set<string>();
    const messages: string[] = [];
    JSON.stringify(parse(text), (key, value: unknown) => {
      keywords.add(key);
      if (key === 'message' && typeof value === 'string') messages.push(value);
      return value;
    });
    for (const keyword of ['default', 'pattern', 'title', 'anyOf', 'oneOf', 'nullable']) {
      expect(keywords).not.toContain(keyword);
    }
    expect(messages.length).toBeGreaterThan(20);
    for (const message of messages) expect(message).toMatch(/^spec\.[a-z]/);
  });

  test('carry every rule of the spec, the page with its message', () => {
    const rules = version.schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'];
    expect(rules).toHaveLength(IP_BLOCK_SPEC_RULES.length);
    for (const { message } of IP_BLOCK_SPEC_RULES) expect(page).toContain(message);
  });

  test.each(Object.entries(GOOD_BLOCKS))('the JSON Schema takes %s', (_what, object) => {
    expect(z.fromJSONSchema(schema).safeParse(object).error).toBeUndefined();
  });

  test.each(
    BAD_BLOCKS.filter(({ what }) =>
      /^(feed: (no |the URL|every "1d")|expiresAt: "|reason|a field)/.test(what),
    ),
  )('the JSON Schema refuses $what', ({ object }) => {
    expect(z.fromJSONSchema(schema).safeParse(object).success).toBe(false);
  });

  test('the page has every condition, reason and gap', () => {
    for (const name of [
      ...IP_BLOCK_CONDITION_TYPES,
      ...Object.keys(IP_BLOCK_REASONS),
      ...Object.keys(NETWORK_GAPS),
    ]) {
      expect(page).toContain(`| \`${name}\` |`);
    }
  });
});

describe('the files of EmergencyAccess', () => {
  const text = files.get('crds/strongroom.dev_emergencyaccesses.yaml') ?? '';
  const { metadata, spec } = parse(text);
  const [version] = spec.versions;
  const schema = JSON.parse(files.get('schemas/emergencyaccess.json') ?? '{}');
  const page = files.get('docs/reference/emergencyaccess.md') ?? '';

  test('name it as the code names it', () => {
    expect(metadata.name).toBe(`${EMERGENCY_ACCESSES.plural}.${EMERGENCY_ACCESSES.group}`);
    expect(spec.scope).toBe('Namespaced');
    expect(spec.names).toEqual({
      kind: 'EmergencyAccess',
      listKind: 'EmergencyAccessList',
      plural: 'emergencyaccesses',
      singular: 'emergencyaccess',
      shortNames: ['xea'],
      categories: ['strongroom'],
    });
    expect(version.name).toBe(EMERGENCY_ACCESSES.version);
    expect(version.subresources).toEqual({ status: {} });
  });

  test('fill in nothing, and name the field in every message of a rule', () => {
    const keywords = new Set<string>();
    const messages: string[] = [];
    JSON.stringify(parse(text), (key, value: unknown) => {
      keywords.add(key);
      if (key === 'message' && typeof value === 'string') messages.push(value);
      return value;
    });
    for (const keyword of ['default', 'pattern', 'title', 'anyOf', 'oneOf', 'nullable']) {
      expect(keywords).not.toContain(keyword);
    }
    expect(messages.length).toBeGreaterThan(15);
    for (const message of messages) expect(message).toMatch(/^spec(\.[a-z]| cannot be changed)/);
  });

  test('carry every rule of the spec, the page with its message', () => {
    const rules = version.schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'];
    expect(rules).toHaveLength(EMERGENCY_SPEC_RULES.length);
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'self == oldSelf' }));
    for (const { message } of EMERGENCY_SPEC_RULES) expect(page).toContain(message);
  });

  test.each(Object.entries(GOOD_EMERGENCIES))('the JSON Schema takes %s', (_what, object) => {
    expect(z.fromJSONSchema(schema).safeParse(object).error).toBeUndefined();
  });

  test.each(
    BAD_EMERGENCIES.filter(({ what }) =>
      /^(no |subject: a Group|ticket|target: the |permissions: another|a field)/.test(what),
    ),
  )('the JSON Schema refuses $what', ({ object }) => {
    expect(z.fromJSONSchema(schema).safeParse(object).success).toBe(false);
  });

  test('the page has every state, annotation, condition and reason', () => {
    for (const name of [
      'Pending',
      ANNOTATIONS.approve,
      ANNOTATIONS.review,
      ...EMERGENCY_ACCESS_CONDITION_TYPES,
      ...Object.keys(EMERGENCY_ACCESS_REASONS),
    ]) {
      expect(page).toContain(`| \`${name}\` |`);
    }
  });
});

describe('the files of NamespaceAccess', () => {
  const { metadata, spec } = parse(files.get('crds/strongroom.dev_namespaceaccesses.yaml') ?? '');
  const [version] = spec.versions;

  test('name it as the code names it', () => {
    expect(metadata.name).toBe(`${NAMESPACE_ACCESSES.plural}.${NAMESPACE_ACCESSES.group}`);
    expect(spec.scope).toBe('Namespaced');
    expect(spec.names).toMatchObject({ kind: 'NamespaceAccess', shortNames: ['xna'] });
    expect(version.name).toBe(NAMESPACE_ACCESSES.version);
  });

  test('have no status, no rules, and one field for all writers', () => {
    expect(version.subresources).toBeUndefined();
    const { properties } = version.schema.openAPIV3Schema;
    expect(properties.status).toBeUndefined();
    expect(properties.spec['x-kubernetes-map-type']).toBe('atomic');
    expect(JSON.stringify(version)).not.toContain('x-kubernetes-validations');
  });

  test('are no schema for editors, as nobody writes one by hand', () => {
    expect([...files.keys()].filter((file) => file.includes('namespaceaccess'))).toEqual([
      'crds/strongroom.dev_namespaceaccesses.yaml',
      'charts/strongroom/files/crds/strongroom.dev_namespaceaccesses.yaml',
      'docs/reference/namespaceaccess.md',
    ]);
  });
});
