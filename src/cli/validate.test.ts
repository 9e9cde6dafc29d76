import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { run } from '#cli/run.ts';
import { captureIo } from '../../test/cli/capture-io.ts';
import { policy } from '../../test/samples/access-policies.ts';
import { emergency } from '../../test/samples/emergency-accesses.ts';
import { credential } from '../../test/samples/exchange-credentials.ts';
import { block } from '../../test/samples/ip-blocks.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'strongroom-validate-'));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

async function validate(...objects: readonly unknown[]) {
  const text = objects.map((object) => stringify(object)).join('---\n');
  await writeFile(path.join(cwd, 'all.yaml'), text);
  const io = captureIo({ cwd });
  return { code: await run(io, ['validate', 'all.yaml']), out: io.out(), err: io.err() };
}

const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'trading' } };

describe('strongroom validate', () => {
  it('takes every kind and passes others over', async () => {
    expect(
      await validate(
        credential(),
        namespace,
        policy(),
        policy({}, 'other'),
        block(),
        emergency(),
        emergency({ duration: '10m' }, 'another'),
      ),
    ).toMatchObject({
      code: 0,
      out: '1 ExchangeCredential, 2 AccessPolicies, 1 IPBlock and 2 EmergencyAccesses valid\n',
    });
  });

  it('names the faults of a block, and a kind that there is not', async () => {
    const { code, out, err } = await validate(block({ cidrs: ['198.51.100.7/24'] }), {
      ...block(),
      kind: 'IpBlock',
    });
    expect(code).toBe(2);
    expect(out.trim().split('\n')).toEqual([
      expect.stringContaining('all.yaml: scanner: spec.cidrs[0]: spec.cidrs must hold addresses'),
      'all.yaml: kind: unknown in strongroom.dev; ExchangeCredential, AccessPolicy, IPBlock or EmergencyAccess is meant?',
    ]);
    expect(err).toContain('2 faults in 1 IPBlock');
  });

  it('names the faults of an EmergencyAccess', async () => {
    const { code, out, err } = await validate(emergency({ duration: '5m', reason: 'no time' }));
    expect(code).toBe(2);
    expect(out.trim().split('\n')).toEqual([
      expect.stringContaining('all.yaml: stuck-orders: spec.reason must have at least 20'),
      expect.stringContaining('all.yaml: stuck-orders: spec.duration must be at least 10m'),
    ]);
    expect(err).toContain('2 faults in 1 EmergencyAccess');
  });

  it('names file, object and field of every fault, and says what to do', async () => {
    const bad = policy({ subjects: [], roles: ['Intern'], credentials: {} });
    const { code, out, err } = await validate(policy(), bad);
    expect(code).toBe(2);
    expect(out.trim().split('\n')).toEqual([
      expect.stringContaining('all.yaml: market-making: spec.subjects must not be empty: name'),
      expect.stringContaining('all.yaml: market-making: spec.roles[0]: must be one of Trader'),
      expect.stringContaining('all.yaml: market-making: spec.credentials needs at least one'),
    ]);
    expect(err).toContain('3 faults in 2 AccessPolicies');
  });

  it('says when there is nothing to check', async () => {
    const { code, err } = await validate(namespace);
    expect(code).toBe(2);
    expect(err).toContain(
      'no ExchangeCredential, AccessPolicy, IPBlock or EmergencyAccess found in all.yaml',
    );
  });

  it('wants a name', async () => {
    const { code, err } = await validate({ ...policy(), metadata: {} });
    expect(code).toBe(2);
    expect(err).toContain('metadata.name of the AccessPolicy is missing');
  });
});
