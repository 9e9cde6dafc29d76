import { request } from 'undici';
import type { Post } from './notices.ts';

/** The answer's body is thrown away: nobody reads it, and it can be long. */
export const postNotice: Post = async (url, { headers, body, signal }) => {
  const response = await request(url, { method: 'POST', headers, body, signal });
  await response.body.dump({ limit: 65_536, signal });
  return response.statusCode;
};
