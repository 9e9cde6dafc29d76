/** Invariants of the design that can be read off the sources themselves. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '../..');
const sources = globSync('src/**/*.ts', { cwd: root })
  .filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/'))
  .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));

/** `file: line` of every line that matches, comments left out. */
function uses(pattern: RegExp): readonly string[] {
  return sources.flatMap(({ file, text }) =>
    text
      .split('\n')
      .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line) && pattern.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
}

describe('invariant 2: no field of a namespaced object resolves outside its namespace', () => {
  it.each([
    ['exchangecredentials', 'secretRef'],
    ['emergencyaccesses', 'credentials'],
  ])('%s have no field that could name a namespace', (plural, known) => {
    const crd = parse(
      readFileSync(path.join(root, `crds/strongroom.dev_${plural}.yaml`), 'utf8'),
    ) as {
      spec: {
        versions: readonly { schema: { openAPIV3Schema: { properties: { spec: unknown } } } }[];
      };
    };
    const names: string[] = [];
    const walk = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties } = node as { properties?: Record<string, unknown> };
      for (const name of Object.keys(properties ?? {})) names.push(name);
      for (const child of Object.values(node)) walk(child);
    };
    walk(crd.spec.versions[0]?.schema.openAPIV3Schema.properties.spec);
    expect(names).toContain(known);
    expect(names.filter((name) => /namespace/i.test(name))).toEqual([]);
  });
});

describe('invariant 4: every list and watch names a namespace or is on this list', () => {
  it('looks at all namespaces only where it was reviewed', () => {
    const reviewed = [
      // The type, and paths of cluster-scoped resources.
      'src/kube/client.ts',
      'src/kube/url.ts',
      // ExchangeCredentials and Namespaces: no secret in either.
      'src/credentials/controller.ts',
      'src/credentials/guarded-namespaces.ts',
      // AccessPolicies, RBAC and names of ServiceAccounts: no secret in any of them.
      'src/access/controller.ts',
      // EmergencyAccesses: reasons that people wrote, and no secret.
      'src/access/emergency/controller.ts',
      // Webhook configurations, policies of admission, NamespaceAccesses: no secret in any of them.
      'src/admission/configuration/followed.ts',
      // Nodes and ServiceCIDRs: addresses, of which nothing may be cut off.
      'src/network/facts/gatherer.ts',
      // IPBlocks, and objects of stronger backends by our own labels: no secret in either.
      'src/network/controller/controller.ts',
      'src/network/controller/backend-plan.ts',
      // `strongroom status -A`, with the rights of the person.
      'src/cli/status.ts',
      // `strongroom emergency list -A`, with the rights of the person; no secret in any of them.
      'src/cli/emergency-list.ts',
      // AccessPolicies and RBAC, and with -A ExchangeCredentials, with the rights of the person;
      // no secret in any of them.
      'src/cli/access-world.ts',
      // IPBlocks, AccessPolicies, and names, labels and addresses of namespaces and nodes, with the
      // rights of the person; no secret in any of them.
      'src/cli/block-world.ts',
      // What makes the API server ask, and which namespaces are guarded, with the rights of the
      // person; no secret in any of them.
      'src/cli/doctor-checks.ts',
    ];
    const files = new Set(
      uses(/allNamespaces: true|'allNamespaces' in/).map((use) => use.split(': ')[0]),
    );
    expect([...files].filter((file) => file !== undefined && !reviewed.includes(file))).toEqual([]);
  });

  it('lists and watches Secrets by our own labels only, or one by its name', () => {
    const listing = sources.filter(({ text }) =>
      /(list|listPage|watch)\(\s*SECRETS|resource: SECRETS/.test(text),
    );
    expect(listing.length).toBeGreaterThan(0);
    for (const { file, text } of listing) {
      const isNarrow = /labelSelector|fieldSelector: `metadata\.name=/.test(text);
      expect(`${file} ${isNarrow}`).toBe(`${file} true`);
    }
  });
});

describe('invariant 10: time, randomness and the network come in through parameters', () => {
  /** Where the real ones enter, each with the reason. */
  const entrances: Readonly<Record<string, readonly string[]>> = {
    time: [
      'src/runtime/clock.ts',
      'src/cli/system-io.ts',
      'src/cli/wait.ts',
      'src/kube/transport.ts',
    ],
    timers: [
      'src/runtime/clock.ts',
      // Silence on a connection is a fact of the network, measured where the socket is.
      'src/kube/watch.ts',
      // So is the time that a call may take.
      'src/kube/deadline.ts',
      'src/kube/create-client.ts',
      'src/kube/transport.ts',
      'src/cli/wait.ts',
      // No time passes: whoever else has work gets a turn.
      'src/admission/configuration/access-writer.ts',
    ],
    random: ['src/cli/run-operator.ts', 'src/cli/run-node-agent.ts'],
  };

  it.each([
    ['time', /Date\.now|new Date\(\)|performance\.now/],
    ['timers', /(?<![.\w])setTimeout\(|setInterval\(|timers\/promises/],
    ['random', /Math\.random/],
  ] as const)('takes %s from nowhere else', (what, pattern) => {
    const files = new Set(uses(pattern).map((use) => use.split(': ')[0] ?? ''));
    expect([...files].filter((file) => !entrances[what]?.includes(file))).toEqual([]);
  });
});

describe('security rules', () => {
  it.each([
    ['TLS is always verified', /rejectUnauthorized|NODE_TLS_REJECT/],
    ['nothing is evaluated', /\beval\(|new Function\(|node:vm/],
    ['no shell is started', /\bexec\(['"`]|\bexecSync\(|shell: true/],
  ])('%s', (_, pattern) => {
    expect(uses(pattern)).toEqual([]);
  });

  it('starts other programs only where it was reviewed', () => {
    const reviewed = [
      // `nft`, which alone speaks to the kernel's tables: a fixed program, fixed arguments, and what
      // it is to do through stdin, where every address was parsed and written anew.
      'src/network/node-agent/nft.ts',
    ];
    const files = new Set(uses(/child_process/).map((use) => use.split(': ')[0] ?? ''));
    expect([...files]).toEqual(reviewed);
  });

  it('has no dependency with an install script', () => {
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; resolved?: string; dev?: boolean }>;
    };
    const scripts = Object.entries(lock.packages).filter(
      ([, entry]) => entry.hasInstallScript === true,
    );
    // fsevents is optional, for macOS, and only of development tools.
    expect(scripts.map(([name]) => name).filter((name) => !name.endsWith('/fsevents'))).toEqual([]);
    expect(Object.values(lock.packages).filter((entry) => entry.resolved !== undefined)).toEqual(
      [],
    );
  });
});
