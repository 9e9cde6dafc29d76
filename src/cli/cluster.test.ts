import { describe, expect, it } from 'vitest';
import {
  decision,
  decisionsAnnotation,
  emergencyAccess,
} from '#access/emergency/testing/builders.ts';
import { againstEmergency } from '../../test/cli/against-emergency.ts';
import { run } from './run.ts';

const MISSING = 'spec.target.credentials names what does not exist: makerx.';
const TURNED = 'a name that \u{202e}turns the direction';
const REASON = ['--reason', 'orders are stuck and must be cancelled'];

describe('what admission remarks', () => {
  it.each<readonly [readonly string[]]>([
    [['request', '--credential', 'makerx', '--dry-run', ...REASON]],
    [['approve', 'night', '--no-wait', ...REASON]],
    [['deny', 'night', '--no-wait', ...REASON]],
    [['end', 'night', '--no-wait', ...REASON]],
    [['review', 'night', '--no-wait', '--finding', 'all was well']],
  ])('is printed on stderr: %j', async (argv) => {
    const acts = (['approve', 'deny', 'end', 'review'] as const).map((act) => decision(act, 'bob'));
    await using api = await againstEmergency({
      before: emergencyAccess(),
      decided: emergencyAccess({}, undefined, decisionsAnnotation(acts)),
      warnings: [MISSING, TURNED, MISSING],
    });
    const io = api.io();
    expect([await run(io, ['emergency', ...argv]), io.out()]).toEqual([0, '']);
    expect(io.err().match(/^Warning: .*$/gm)).toEqual([
      `Warning: ${MISSING}`,
      String.raw`Warning: a name that \u{202e}turns the direction`,
    ]);
  });
});
