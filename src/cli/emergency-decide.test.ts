import { describe, expect, it } from 'vitest';
import {
  decision,
  decisionsAnnotation,
  emergencyAccess,
} from '#access/emergency/testing/builders.ts';
import { againstEmergency } from '../../test/cli/against-emergency.ts';
import { run } from './run.ts';

describe('emergency approve', () => {
  it.each([
    ['--no-wait', 'err', 'problem: TargetMissing: There is no Pod nope\n'],
    ['--timeout=1', 'out', '\nProblem:    TargetMissing: There is no Pod nope\n'],
  ] as const)('says what is not as it should be: %s', async (option, stream, text) => {
    const status = {
      state: 'Expired' as const,
      conditions: [
        {
          type: 'Stalled',
          status: 'True' as const,
          reason: 'TargetMissing',
          message: 'There is no Pod nope',
          lastTransitionTime: '2026-11-26T10:00:00Z',
        },
      ],
    };
    await using api = await againstEmergency({
      before: emergencyAccess({}, status),
      decided: emergencyAccess({}, status, decisionsAnnotation([decision('approve', 'bob')])),
    });
    const io = api.io();
    const argv = ['emergency', 'approve', 'night', '--reason', 'seen in the call', option];
    expect(await run(io, argv)).toBe(0);
    expect(io[stream]()).toContain(text);
  });
});
