import type { EmergencyAccess } from '#api/emergency-access.ts';
import { readBody, sendJson } from '../http-server.ts';
import { againstServer } from './against-server.ts';
import type { AgainstServer } from './against-server.ts';

/** Commands of bob against one EmergencyAccess; whatever is asked for and decided is taken. */
export function againstEmergency(answers: {
  readonly before: EmergencyAccess;
  /** As it is once somebody has decided. */
  readonly decided: EmergencyAccess;
  /** What admission remarks about each write. */
  readonly warnings?: readonly string[];
}): Promise<AgainstServer> {
  const { before, decided, warnings = [] } = answers;
  return againstServer(async (request, response) => {
    const { method, url = '' } = request;
    if (url.includes('selfsubjectreviews')) {
      return sendJson(response, 201, { status: { userInfo: { username: 'bob' } } });
    }
    if (method === 'GET') return sendJson(response, 200, before);
    response.setHeader(
      'warning',
      warnings.map((text) => Buffer.from(`299 - "${text}"`).toString('latin1')),
    );
    if (method === 'POST') return sendJson(response, 201, JSON.parse(await readBody(request)));
    return sendJson(response, 200, decided);
  });
}
