import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { captureIo } from '../../test/cli/capture-io.ts';
import { run } from './run.ts';

async function ran(...argv: readonly string[]) {
  const io = captureIo({ cwd: '.' });
  const code = await run(io, argv);
  return { code, out: io.out(), err: io.err() };
}

describe('block', () => {
  it.each([
    [['add', '198.51.100.7'], '--reason'],
    [['add', '--reason', 'x'], 'address'],
    [['add', '198.51.100.7/24', '--reason', 'x'], '198.51.100.0/24 is meant?'],
    [['add', '198.51.100.7', '--reason', 'x', '--direction', 'Sideways'], 'Ingress, Egress, Both'],
    [['add', '198.51.100.7', '--reason', 'x', '--timeout', 'soon'], 'a number of seconds'],
    [['test', '198.51.100.0/24'], 'one IPv4 or IPv6 address'],
    [['test', '198.51.100.7', '--port', '70000'], 'a port from 1 to 65535'],
    [['test', '198.51.100.7', '--pod', 'maker'], '--pod wants namespace/name'],
    [['remove'], 'name|address'],
    [['ban', '198.51.100.7'], 'unknown command'],
  ])('refuses %j before it asks a cluster', async (argv, message) => {
    const { code, out, err } = await ran('block', ...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  it.each(['add', 'remove', 'list', 'test'])('explains %s with an example', async (name) => {
    const { code, out } = await ran('block', name, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`\n  strongroom block ${name}`);
    expect(out).toContain('JSON');
  });

  it('completes its commands, and the options of each', async () => {
    const { out } = await ran('completion', 'bash');
    const complete = (...words: readonly string[]): readonly string[] =>
      execFileSync(
        'bash',
        [
          '-c',
          `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _strongroom; printf '%s\\n' "\${COMPREPLY[@]}"`,
          'bash',
          'strongroom',
          ...words,
        ],
        { encoding: 'utf8' },
      )
        .split('\n')
        .filter(Boolean);
    expect(complete('blo')).toEqual(['block']);
    expect(complete('block', '')).toEqual(['add', 'remove', 'list', 'test']);
    expect(complete('block', 'add', '--dry')).toEqual(['--dry-run']);
    expect(complete('block', 'test', '--dry')).toEqual([]);
    expect(complete('status', '--inst')).toEqual(['--installation']);
  });
});
