import { describe, expect, it } from 'vitest';
import { serviceAccountIdentity } from '#access/identity.ts';
import { explainHint } from './explain-command.ts';

const MAKER = { namespace: 'trading', name: 'maker' };
const commandFor = (username: string, ...groups: readonly string[]): string =>
  explainHint(MAKER, { username, groups: [...groups, 'system:authenticated'] }).replace(
    /^.* with: strongroom explain mount maker -n trading /,
    '',
  );

describe('explainHint', () => {
  it('says who can run it, and how', () => {
    expect(explainHint(MAKER, serviceAccountIdentity('trading', 'robot'))).toBe(
      'whoever may read those sees what is missing with: strongroom explain mount maker -n trading --as-service-account trading/robot',
    );
  });

  it.each([
    [['alice'], '--as alice'],
    [['alice@example.com', 'desk-mm', 'risk'], '--as alice@example.com --as-group desk-mm risk'],
    [['CN=alice,O=desk', 'blue team'], "--as CN=alice,O=desk --as-group 'blue team'"],
    [["'; rm -rf ~; '"], '--as …'],
    [['$(reboot)', '`reboot`'], "--as '$(reboot)' --as-group '`reboot`'"],
    [['a\nb'], '--as …'],
    [['a', ...Array.from({ length: 9 }, (_, index) => `g${index}`)], '--as a --as-group …'],
  ])('of %j', ([username = '', ...groups], expected) => {
    expect(commandFor(username, ...groups)).toBe(expected);
  });
});
