/** Why nothing came of asking a feed. The message goes behind the name of the feed. */
export class FeedError extends Error {
  override readonly name = 'FeedError';
  readonly kind: 'Refused' | 'Unreachable';

  constructor(kind: 'Refused' | 'Unreachable', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A redirect can name a host as long as it likes; status cannot. */
const LONGEST_MESSAGE = 500;

export function aboutFeed({ name }: { readonly name: string }, message: string): string {
  return `the feed ${name} ${message.slice(0, LONGEST_MESSAGE)}`;
}
