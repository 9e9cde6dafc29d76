import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compilePolicy } from './compile.ts';
import { reachOf } from './reach.ts';
import { arbitraryCredential, arbitraryPolicy } from './testing/arbitraries.ts';

it('reachOf gives the credentials that a policy matches, in the order given', () => {
  fc.assert(
    fc.property(
      arbitraryPolicy(),
      fc.array(arbitraryCredential, { size: 'medium' }),
      (policy, credentials) => {
        const compiled = compilePolicy(policy);
        expect(reachOf(compiled, credentials)).toEqual(
          credentials.filter((credential) => compiled.matches(credential)),
        );
      },
    ),
    { numRuns: 500 },
  );
});
