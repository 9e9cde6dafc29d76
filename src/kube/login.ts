import type { KubeConfig } from '@kubernetes/client-node';
import type { ClientCertificate } from '#kube/config.ts';
import { KubeError } from '#kube/errors.ts';

/** What a login brought: a token, a client certificate, or both. */
export interface Login {
  readonly authorization: string | undefined;
  readonly certificate: ClientCertificate | undefined;
}

/** The parts of a request's options that the official client fills in. */
interface LoginRequest {
  readonly headers: Record<string, string>;
  cert?: string | Buffer;
  key?: string | Buffer;
}

/**
 * Logins by a plug-in (exec) or OIDC are left to the official client, which is loaded only when one
 * is used: it takes the better part of a second. It runs the plug-in again when its token ends, and
 * anew when asked for a `fresh` login.
 *
 * @throws KubeError ERR_KUBE_CONFIG, never with what the plug-in printed: that can hold the token.
 */
export function createPluginLogin(
  file: string,
  context: string,
): (fresh: boolean) => Promise<Login> {
  let config: KubeConfig | undefined;
  /** Shared: token and certificate are asked for at the same time and come from one login. */
  let running: Promise<Login> | undefined;

  async function run(fresh: boolean): Promise<Login> {
    try {
      if (config === undefined || fresh) {
        const { KubeConfig } = await import('@kubernetes/client-node');
        config = new KubeConfig();
        config.loadFromFile(file);
        config.setCurrentContext(context);
      }
      const request: LoginRequest = { headers: {} };
      await config.applyToHTTPSOptions(request);
      const { cert, key } = request;
      return {
        authorization: request.headers['Authorization'],
        certificate:
          cert === undefined || key === undefined
            ? undefined
            : { cert: cert.toString(), key: key.toString() },
      };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
      throw new KubeError(
        'ERR_KUBE_CONFIG',
        `${file}: the login of context ${context} failed${code}; run its command by hand to see why`,
      );
    }
  }

  return (fresh) => {
    running ??= run(fresh).finally(() => {
      running = undefined;
    });
    return running;
  };
}
