import { describe, expect, it } from 'vitest';
import { KubeError } from '#kube/errors.ts';
import { describeError } from './describe-error.ts';

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe('what a log says of an error', () => {
  it('is code and message of errors made to be shown', () => {
    expect(describeError(new KubeError('ERR_KUBE_GONE', 'list Secret: Expired'))).toBe(
      'ERR_KUBE_GONE: list Secret: Expired',
    );
  });

  it.each([
    ['SyntaxError', () => JSON.parse('"s3cret')],
    ['SyntaxError', () => JSON.parse('s3cret')],
    ['TypeError ERR_UNKNOWN_ENCODING', () => Buffer.alloc(1).fill('x', 's3cret' as 'hex')],
    ['TypeError ERR_INVALID_URL', () => new URL('s3cret')],
    ['RangeError', () => 's'.repeat(-1)],
    [
      'Error',
      () => {
        throw new Error('s3cret\n    at s3cret');
      },
    ],
    [
      'a thrown string',
      () => {
        throw 's3cret';
      },
    ],
    [
      'a thrown object',
      () => {
        throw { value: 's3cret' };
      },
    ],
  ])('is kind and place of others, never their message: %s', (kind, act) => {
    const said = describeError(thrownBy(act));
    expect(said.startsWith(kind)).toBe(true);
    expect(said).not.toContain('s3cret');
  });

  it('names where it was thrown', () => {
    expect(describeError(thrownBy(() => JSON.parse('{')))).toMatch(/^SyntaxError at .+/);
  });
});
