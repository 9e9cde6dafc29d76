/** What the API server takes is understood by the evaluator, and the other way round. */
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../src/access/compile.ts';
import { BAD_POLICIES, GOOD_POLICIES } from '../samples/access-policies.ts';

describe('compilePolicy', () => {
  it.each(Object.entries(GOOD_POLICIES))('understands all of %s', (_what, object) => {
    expect(compilePolicy(object).faults).toEqual([]);
  });

  it.each(BAD_POLICIES)('throws nothing at $what, though it is never stored', ({ object }) => {
    const { faults, constraint } = compilePolicy(object);
    expect(faults).toBeInstanceOf(Array);
    expect(constraint).toBeInstanceOf(Function);
  });
});
