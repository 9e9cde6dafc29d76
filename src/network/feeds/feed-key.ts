/** Keys of feeds: Secrets in the operator's namespace that name the URL they are for. */
import { LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import { SECRETS } from '#kube/resources.ts';
import { FeedError } from './feed-error.ts';

/** The label `strongroom.dev/component` of such a Secret. */
export const FEED_KEY_COMPONENT = 'feed-key';

export interface FeedKey {
  /** It is sent nowhere but to this origin. */
  readonly origin: string;
  readonly apiKey: string;
}

/** @throws FeedError without anything of the key in it */
export type ReadFeedKey = (secretName: string, signal: AbortSignal) => Promise<FeedKey>;

export interface FeedKeyDeps {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
}

/** What a header may hold (RFC 9110 §5.5), without spaces. */
const KEY = /^[\x21-\x7E]{1,4096}$/;

export function createFeedKeyReader({ client, namespace }: FeedKeyDeps): ReadFeedKey {
  return async (name, signal) => {
    const what = `Secret ${namespace}/${name} of spec.feed.apiKeySecret`;
    const refuse = (why: string): FeedError =>
      new FeedError('Refused', `cannot be asked: the ${what} ${why}`);
    const secret = await client.find(SECRETS, { namespace, name }, { signal }).catch((error) => {
      signal.throwIfAborted();
      const code = isKubeError(error) ? error.code : 'an unknown error';
      throw new FeedError('Unreachable', `cannot be asked: the ${what} was not read (${code})`);
    });
    if (secret === undefined) throw refuse('does not exist');
    if (secret.metadata.labels?.[LABELS.component] !== FEED_KEY_COMPONENT) {
      throw refuse(`lacks the label ${LABELS.component}: ${FEED_KEY_COMPONENT}`);
    }
    const url = URL.parse(decode(secret.data?.['url']));
    if (url === null || !['https:', 'http:'].includes(url.protocol)) {
      throw refuse('has no URL under its key `url`');
    }
    const apiKey = decode(secret.data?.['apiKey']);
    if (!KEY.test(apiKey)) throw refuse('has no usable key under its key `apiKey`');
    return { origin: url.origin, apiKey };
  };
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64')
    .toString('utf8')
    .trim();
}
