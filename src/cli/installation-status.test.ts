import { describe, expect, it } from 'vitest';
import { describeInstallation, parseInstallationStatus } from '#cli/installation-status.ts';
import { run } from '#cli/run.ts';
import { captureIo } from '../../test/cli/capture-io.ts';

const STATUS = {
  conditions: [
    {
      type: 'AdministratorPresent',
      status: 'False',
      reason: 'NobodyHoldsManageUsers',
      message: 'No AccessPolicy gives\nManageUsers at Admin',
      lastTransitionTime: '2026-11-24T11:00:00Z',
    },
  ],
  findings: [
    {
      type: 'NodesProxy',
      severity: 'Critical',
      subject: 'Group monitoring',
      via: 'ClusterRoleBinding kubelets',
      message: 'runs commands in any pod',
    },
  ],
  findingCount: 3,
};

describe('the status of an installation', () => {
  it('shows conditions and findings, one a line, and says what is left out', () => {
    const status = parseInstallationStatus(JSON.stringify(STATUS));
    expect(status).toEqual(STATUS);
    const text = status && describeInstallation(status, Date.parse('2026-11-24T12:00:00Z'));
    expect(text).toMatch(
      /^AdministratorPresent +False +1h +NobodyHoldsManageUsers +No AccessPolicy gives ManageUsers at Admin$/m,
    );
    expect(text).toMatch(/^Critical +NodesProxy +whole cluster +Group monitoring +ClusterRoleB/m);
    expect(text).toContain('2 more findings are not shown');
  });

  it.each(['', 'null', '[]', '{', '{"conditions":1}'])('takes no %j for one', (text) => {
    expect(parseInstallationStatus(text)).toBeUndefined();
  });

  it('is that of one installation, whatever the namespace', async () => {
    const io = captureIo({ cwd: '.' });
    expect(await run(io, ['status', '--installation', '-A'])).toBe(2);
    expect(io.err()).toContain('there is one installation');
  });
});
