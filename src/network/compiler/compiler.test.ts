import { describe, expect, it } from 'vitest';
import { addressSet } from '../cidr/address-set.ts';
import { compileNamespace, createCompiler } from './compiler.ts';
import type { NamespaceInput } from './compiler.ts';
import type { GrantRule } from './grant.ts';
import { policyFaults } from './testing/policy-faults.ts';
import { blockOf, factsOf, foreignOf, grantOf, inputOf, podOf } from './testing/builders.ts';

const HTTPS = { port: 443, protocol: 'TCP' } as const;
const MAKER = podOf('maker-1', { app: 'maker' }, { serviceAccount: 'maker' });
const OTHER = podOf('other-1', { app: 'other' });
const SCANNER = blockOf('scanner', ['203.0.113.7/32']);
const to = (cidrs: readonly string[], rule: GrantRule = {}): GrantRule => ({
  addresses: addressSet(cidrs),
  ...rule,
});

function specs(input: Partial<NamespaceInput>) {
  const { policies } = compileNamespace(inputOf(input));
  return Object.fromEntries(policies.map(({ metadata, spec }) => [metadata.name, spec]));
}

function gaps(input: Partial<NamespaceInput>) {
  return compileNamespace(inputOf(input)).gaps.map(({ message: _message, ...gap }) => gap);
}

describe('a grant', () => {
  it('opens what it says for the pods of its account, without the blocked addresses', () => {
    const { policies } = compileNamespace(
      inputOf({
        pods: [MAKER, OTHER],
        grants: [
          grantOf('maker', {
            egress: [
              to(['203.0.113.0/24', '2001:db8::/32'], { ports: [HTTPS] }),
              { pods: [{ namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' } }] },
            ],
          }),
        ],
        blocks: [blockOf('scanner', ['203.0.113.7/32'], { ingress: false })],
      }),
    );
    expect(policies[0]).toEqual({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: {
        name: 'strongroom-account-maker',
        namespace: 'trading',
        labels: {
          'app.kubernetes.io/managed-by': 'strongroom',
          'strongroom.dev/component': 'network',
        },
        annotations: { 'strongroom.dev/reason-for': 'AccessPolicies desk; IPBlocks scanner' },
      },
      spec: {
        podSelector: { matchLabels: { app: 'maker' } },
        policyTypes: ['Egress'],
        egress: [
          {
            to: [
              { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.7/32'] } },
              { ipBlock: { cidr: '2001:db8::/32' } },
            ],
            ports: [{ protocol: 'TCP', port: 443 }],
          },
          {
            to: [
              {
                namespaceSelector: {
                  matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' },
                },
                podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
              },
            ],
          },
        ],
      },
    });
    expect(policies.map(({ metadata }) => metadata.name)).toEqual([
      'strongroom-account-maker',
      'strongroom-block-egress-0',
    ]);
  });

  it('that is empty isolates', () => {
    expect(
      specs({ pods: [MAKER], grants: [grantOf('maker', { egress: [], ingress: [] })] }),
    ).toEqual({
      'strongroom-account-maker': {
        podSelector: { matchLabels: { app: 'maker' } },
        policyTypes: ['Ingress', 'Egress'],
      },
    });
  });

  it('about neither direction does nothing', () => {
    expect(compileNamespace(inputOf({ pods: [MAKER], grants: [grantOf('maker')] }))).toEqual({
      policies: [],
      gaps: [],
    });
  });

  it.each<[string, GrantRule]>([
    ['that names nobody', {}],
    ['that names no address and no pod', { addresses: addressSet([]), pods: [] }],
    ['for no ports', { addresses: addressSet(['10.0.0.0/8']), ports: [] }],
    ['whose addresses are all blocked', to(['203.0.113.7/32'])],
    ['whose addresses lie in a block', to(['198.51.100.128/25'])],
    ['of a family that the cluster does not have', to(['2001:db8::/32'])],
  ])('opens nothing by a rule %s', (_, rule) => {
    const { 'strongroom-account-maker': spec } = specs({
      pods: [MAKER],
      grants: [grantOf('maker', { egress: [rule] })],
      blocks: [SCANNER, blockOf('net', ['198.51.100.0/24'])],
      facts: factsOf({ families: ['IPv4'] }),
    });
    expect(spec).toEqual({
      podSelector: { matchLabels: { app: 'maker' } },
      policyTypes: ['Egress'],
    });
  });

  it('keeps the pods of a rule whose addresses are all blocked', () => {
    const { 'strongroom-account-maker': spec } = specs({
      pods: [MAKER],
      grants: [
        grantOf('maker', {
          ingress: [to(['203.0.113.7/32'], { pods: [{ namespace: 'other', podLabels: {} }] })],
        }),
      ],
      blocks: [SCANNER],
    });
    expect(spec?.ingress).toEqual([
      {
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }],
      },
    ]);
  });

  it('adds up with others of the same account, a rule for each list of ports', () => {
    const { 'strongroom-account-maker': spec } = specs({
      pods: [MAKER],
      grants: [
        grantOf('maker', {
          egress: [
            to(['10.0.0.0/25'], { ports: [HTTPS, { port: 80, protocol: 'TCP' }] }),
            to(['10.1.0.0/16']),
          ],
        }),
        grantOf(
          'maker',
          {
            egress: [
              to(['10.0.0.128/25'], {
                ports: [
                  { port: 80, endPort: 80, protocol: 'TCP' },
                  { port: 443, protocol: 'TCP' },
                  { port: 80, protocol: 'TCP' },
                ],
                pods: [
                  { namespace: 'b', podLabels: { y: '2', x: '1' } },
                  { namespace: 'a', podLabels: { x: '1', y: '2' } },
                ],
              }),
            ],
            ingress: [],
          },
          'more',
        ),
      ],
    });
    expect(spec).toEqual({
      podSelector: { matchLabels: { app: 'maker' } },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          to: [
            { ipBlock: { cidr: '10.0.0.0/24' } },
            {
              namespaceSelector: {
                matchExpressions: [
                  { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['a', 'b'] },
                ],
              },
              podSelector: { matchLabels: { x: '1', y: '2' } },
            },
          ],
          ports: [
            { protocol: 'TCP', port: 80 },
            { protocol: 'TCP', port: 443 },
          ],
        },
        { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] },
      ],
    });
  });

  it('without pods selects those to come by the label of admission, and says so', () => {
    const input = { pods: [OTHER], grants: [grantOf('maker', { egress: [] })] };
    expect(specs(input)['strongroom-account-maker']?.podSelector).toEqual({
      matchLabels: { 'strongroom.dev/service-account': 'maker' },
    });
    expect(gaps(input)).toEqual([
      { type: 'NoPods', namespace: 'trading', accessPolicies: ['desk'] },
    ]);
  });

  it('whose pods nothing tells apart does nothing, and leaves them to the blocks', () => {
    const twin = podOf('twin', { app: 'maker' });
    const input = {
      pods: [MAKER, twin],
      grants: [grantOf('maker', { egress: [] })],
      blocks: [SCANNER],
    };
    expect(Object.keys(specs(input))).toEqual(['strongroom-block-0']);
    expect(specs(input)['strongroom-block-0']?.podSelector).toEqual({});
    expect(gaps(input)).toEqual([
      {
        type: 'PodsNotSelectable',
        namespace: 'trading',
        accessPolicies: ['desk'],
        pods: ['maker-1'],
        podCount: 1,
      },
    ]);
  });

  it('tells of its pods with hostNetwork, at most ten by name', () => {
    const pods = Array.from({ length: 12 }, (_, at) => ({
      ...podOf(`host-${at + 10}`, { app: 'maker' }, { serviceAccount: 'maker' }),
      hostNetwork: true,
    }));
    expect(gaps({ pods, grants: [grantOf('maker', { egress: [] })] })).toEqual([
      {
        type: 'HostNetworkPod',
        namespace: 'trading',
        accessPolicies: ['desk'],
        pods: pods.slice(0, 10).map(({ name }) => name),
        podCount: 12,
      },
    ]);
  });
});

describe('a block', () => {
  it('opens everything but its addresses to pods that nothing isolates', () => {
    expect(specs({ pods: [OTHER], blocks: [SCANNER] })).toEqual({
      'strongroom-block-0': {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          {
            from: [
              { ipBlock: { cidr: '0.0.0.0/0', except: ['203.0.113.7/32'] } },
              { ipBlock: { cidr: '::/0' } },
              { namespaceSelector: {} },
            ],
          },
        ],
        egress: [
          {
            to: [
              { ipBlock: { cidr: '0.0.0.0/0', except: ['203.0.113.7/32'] } },
              { ipBlock: { cidr: '::/0' } },
              { namespaceSelector: {} },
            ],
          },
        ],
      },
    });
  });

  it('of one direction isolates in that one alone', () => {
    const blocks = [{ ...SCANNER, egress: false }];
    expect(specs({ pods: [OTHER], blocks })).toMatchObject({
      'strongroom-block-ingress-0': { policyTypes: ['Ingress'] },
    });
    expect(specs({ pods: [OTHER], blocks })['strongroom-block-ingress-0']?.egress).toBeUndefined();
  });

  it.each([
    ['that is empty', blockOf('empty', [])],
    ['of a family that the cluster does not have', blockOf('v6', ['2001:db8::/32'])],
    ['of neither direction', blockOf('none', ['10.0.0.0/8'], { ingress: false, egress: false })],
  ])('%s isolates nobody', (_, block) => {
    const facts = factsOf({ families: ['IPv4'] });
    expect(compileNamespace(inputOf({ pods: [OTHER], blocks: [block], facts }))).toEqual({
      policies: [],
      gaps: [],
    });
  });

  it('of everything leaves the pods of the cluster', () => {
    const blocks = [blockOf('all', ['0.0.0.0/0', '::/0'], { egress: false })];
    expect(specs({ blocks })['strongroom-block-ingress-0']?.ingress).toEqual([
      { from: [{ namespaceSelector: {} }] },
    ]);
  });

  it('selects no pod that a grant or somebody else isolates, in each direction by itself', () => {
    const input: Partial<NamespaceInput> = {
      pods: [MAKER, OTHER, podOf('web-1', { app: 'web' })],
      grants: [grantOf('maker', { egress: [] })],
      foreign: [foreignOf('web', { podSelector: { matchLabels: { app: 'web' } } })],
      blocks: [SCANNER],
    };
    const found = specs(input);
    expect(found['strongroom-block-egress-0']?.podSelector).toEqual({
      matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['maker'] }],
    });
    expect(found['strongroom-block-ingress-0']?.podSelector).toEqual({
      matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }],
    });
    expect(gaps(input)).toEqual([
      {
        type: 'IsolatedByOthers',
        namespace: 'trading',
        direction: 'Ingress',
        networkPolicy: 'web',
        pods: ['web-1'],
        podCount: 1,
      },
    ]);
  });

  it.each<[string, Parameters<typeof foreignOf>[1], readonly string[]]>([
    ['both directions', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }, []],
    ['ingress, by default', { podSelector: {} }, ['strongroom-block-egress-0']],
    ['egress too where it has rules for it', { podSelector: {}, egress: [{}] }, []],
    ['egress alone', { podSelector: {}, policyTypes: ['Egress'] }, ['strongroom-block-ingress-0']],
  ])('does nothing where a policy of others isolates all pods for %s', (_, spec, names) => {
    const foreign = [foreignOf('theirs', spec)];
    expect(Object.keys(specs({ pods: [OTHER], foreign, blocks: [SCANNER] }))).toEqual(names);
  });

  it('tells which pods it cannot select', () => {
    const foreign = Array.from({ length: 20 }, (_, at) =>
      foreignOf(`chart-${at}`, {
        podSelector: { matchLabels: { [`k${at}`]: 'x', [`l${at}`]: 'x' } },
      }),
    );
    const pods = foreign.map((_, mine) =>
      podOf(
        `pod-${mine + 10}`,
        Object.fromEntries(foreign.map((_other, at) => [`${at < mine ? 'k' : 'l'}${at}`, 'x'])),
      ),
    );
    const input = { pods, foreign, blocks: [{ ...SCANNER, egress: false }] };
    expect(gaps(input)).toMatchObject([
      { type: 'TooManySelectors', direction: 'Ingress', podCount: 4 },
    ]);
    expect(Object.keys(specs(input)).length).toBe(16);
  });
});

describe('a policy that was too large', () => {
  it('is several: of addresses, of pods and of rules', () => {
    const compiler = createCompiler(300);
    const { policies } = compiler.compileNamespace(
      inputOf({
        pods: [MAKER],
        grants: [
          grantOf('maker', {
            egress: Array.from({ length: 40 }, (_, at) =>
              to([`10.${at}.0.0/16`], {
                ports: [{ port: 1000 + at, protocol: 'TCP' }],
                pods: [{ namespace: `n${at}`, podLabels: { app: `label-${at}` } }],
              }),
            ),
            ingress: [
              {
                pods: Array.from({ length: 300 }, (_, at) => ({
                  namespace: `n${at}`,
                  podLabels: { app: `label-${at}` },
                })),
              },
            ],
          }),
        ],
        blocks: [
          blockOf(
            'many',
            Array.from({ length: 900 }, (_, at) => `10.${at % 40}.${at >> 2}.9/32`),
          ),
        ],
      }),
    );
    const names = policies.map(({ metadata }) => metadata.name);
    expect(names.some((name) => /^strongroom-part-rules-0-\d+-of-account-maker$/.test(name))).toBe(
      true,
    );
    expect(
      names.some((name) => /^strongroom-part-rules-\d-\d+-pods-1-\d+-of-account-maker$/.test(name)),
    ).toBe(true);
    expect(
      names.some((name) => /^strongroom-part-v4-[-0-9]+-of-block-ingress-0$/.test(name)) ||
        names.some((name) => /^strongroom-part-v4-[-0-9]+-of-block-0$/.test(name)),
    ).toBe(true);
    for (const policy of policies) {
      expect(policyFaults(policy, ['IPv4', 'IPv6'])).toEqual([]);
      expect(JSON.stringify(policy).length).toBeLessThan(16_000);
    }
  });

  it('names the blocks of its part alone', () => {
    const { policies } = createCompiler(100).compileNamespace(
      inputOf({
        blocks: [
          blockOf(
            'low',
            Array.from({ length: 80 }, (_, at) => `10.0.${at}.9/32`),
          ),
          blockOf(
            'high',
            Array.from({ length: 80 }, (_, at) => `200.0.${at}.9/32`),
          ),
        ],
      }),
    );
    const reasons = policies.map(
      ({ metadata }) => metadata.annotations?.['strongroom.dev/reason-for'],
    );
    expect(new Set(reasons)).toEqual(
      new Set(['IPBlocks low', 'IPBlocks high', 'IPBlocks high, low']),
    );
  });

  it('names ten of many', () => {
    const blocks = Array.from({ length: 12 }, (_, at) =>
      blockOf(`b-${at + 10}`, [`10.0.0.${at}/32`]),
    );
    const { policies } = compileNamespace(inputOf({ blocks }));
    expect(policies[0]?.metadata.annotations?.['strongroom.dev/reason-for']).toBe(
      `IPBlocks ${blocks
        .slice(0, 10)
        .map(({ name }) => name)
        .join(', ')} and others`,
    );
  });
});

describe('a compiler', () => {
  const many = Array.from({ length: 600 }, (_, at) => `10.${at >> 4}.${(at & 15) * 16}.9/32`);

  it('gives the same objects for the same input, and changed ones for what changed', () => {
    const compiler = createCompiler(400);
    const input = (cidrs: readonly string[], namespace: string) =>
      inputOf({ namespace, blocks: [blockOf('many', cidrs)], pods: [OTHER] });
    const first = compiler.compileNamespace(input(many, 'a')).policies;
    const other = compiler.compileNamespace(input(many, 'b')).policies;
    const second = compiler.compileNamespace(input([...many, '10.3.3.3/32'], 'a')).policies;
    expect(second.filter((policy) => !first.includes(policy)).length).toBe(1);
    expect(second.length).toBe(first.length);
    expect(other.map(({ spec }) => spec)).toEqual(first.map(({ spec }) => spec));
    expect(second).toEqual(compileNamespaceWith(400, input([...many, '10.3.3.3/32'], 'a')));
  });

  it('does not take one block for another that has the same addresses', () => {
    const compiler = createCompiler();
    const one = blockOf('one', many);
    const reason = (name: string, namespace: string) =>
      compiler.compileNamespace(inputOf({ namespace, blocks: [{ ...one, name }] })).policies[0]
        ?.metadata.annotations?.['strongroom.dev/reason-for'];
    expect(reason('one', 'a')).toBe('IPBlocks one');
    expect(reason('two', 'b')).toBe('IPBlocks two');
  });

  it('does not take one rule for another whose addresses it had before', () => {
    const compiler = createCompiler(400);
    const wide = ['10.0.0.0/8'];
    const rules = (http: readonly string[], https: readonly string[]) => [
      to(http, { ports: [{ port: 80, protocol: 'TCP' }] }),
      to(https, { ports: [HTTPS] }),
    ];
    for (const egress of [rules(wide, ['192.0.2.0/24']), rules(['192.0.2.0/24'], wide)]) {
      const input = inputOf({
        pods: [MAKER],
        grants: [grantOf('maker', { egress })],
        blocks: [blockOf('many', many)],
      });
      const { policies } = compiler.compileNamespace(input);
      expect(policies.length).toBeGreaterThan(3);
      expect(policies).toEqual(compileNamespaceWith(400, input));
    }
  });

  it('forgets a namespace', () => {
    const compiler = createCompiler();
    const input = inputOf({ blocks: [SCANNER] });
    const first = compiler.compileNamespace(input).policies[0];
    expect(compiler.compileNamespace(input).policies[0]).toBe(first);
    compiler.forget(input.namespace);
    expect(compiler.compileNamespace(input).policies[0]).not.toBe(first);
  });
});

function compileNamespaceWith(most: number, input: NamespaceInput) {
  return createCompiler(most).compileNamespace(input).policies;
}
