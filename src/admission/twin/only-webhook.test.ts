import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ONLY_WEBHOOK } from './only-webhook.ts';

describe('ONLY_WEBHOOK', () => {
  it('stands in docs/admission.md, row by row and no other', () => {
    const page = readFileSync(new URL('../../../docs/admission.md', import.meta.url), 'utf8');
    const head = '| Only the webhook decides | Because | While it is away |\n|---|---|---|\n';
    const [, rest = ''] = page.split(head);
    const [table = ''] = rest.split('\n\n');
    expect(table.trim().split('\n')).toEqual(
      ONLY_WEBHOOK.map(({ what, because, whenAway }) => `| ${what} | ${because} | ${whenAway} |`),
    );
  });
});
