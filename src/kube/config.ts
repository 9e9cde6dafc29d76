/** Where the API server is and how to log in to it: from a kubeconfig, or from inside a pod. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { KubeError } from '#kube/errors.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Read anew by the transport, so that rotated tokens and CAs take effect. */
export interface ClusterConfig {
  /** Base URL without a trailing slash. */
  readonly server: string;
  readonly currentNamespace: string | undefined;
  readonly tlsServerName?: string;
  /** PEM; undefined means the system's CAs. */
  readonly readCa: () => Promise<string | undefined>;
  readonly readClientCertificate: () => Promise<ClientCertificate | undefined>;
  /** Value of the Authorization header. `fresh` asks past any cache, after a 401. */
  readonly readAuthorization: (fresh: boolean) => Promise<string | undefined>;
}

export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface LoadOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** In this order: the file given, $KUBECONFIG, the pod's ServiceAccount, ~/.kube/config. */
export async function loadClusterConfig(options: LoadOptions = {}): Promise<ClusterConfig> {
  const env = options.env ?? process.env;
  const named = options.kubeconfig ?? env['KUBECONFIG'];
  if (named !== undefined && named !== '') return loadKubeconfig(named, options.context);
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (host !== undefined && host !== '' && options.context === undefined) {
    return inClusterConfig(host, env['KUBERNETES_SERVICE_PORT'] ?? '443', SERVICE_ACCOUNT);
  }
  return loadKubeconfig(path.join(env['HOME'] ?? homedir(), '.kube', 'config'), options.context);
}

export async function inClusterConfig(
  host: string,
  port: string,
  directory: string,
): Promise<ClusterConfig> {
  const literal = host.includes(':') ? `[${host}]` : host;
  return {
    server: `https://${literal}:${port}`,
    currentNamespace: (await readText(path.join(directory, 'namespace'))).trim(),
    readCa: () => readText(path.join(directory, 'ca.crt')),
    readClientCertificate: async () => undefined,
    readAuthorization: async () =>
      `Bearer ${(await readText(path.join(directory, 'token'))).trim()}`,
  };
}

type Section = Readonly<Record<string, unknown>>;

async function loadKubeconfig(
  file: string,
  contextName: string | undefined,
): Promise<ClusterConfig> {
  if (file.includes(path.delimiter)) {
    throw configError(`several kubeconfigs at once are not supported; name one with --kubeconfig`);
  }
  const root = asSection(parseYaml(await readText(file), file));
  const name = contextName ?? text(root, 'current-context');
  if (name === undefined) throw configError(`${file}: no current-context; name one with --context`);
  const context = entry(root, 'contexts', 'context', name, file);
  const cluster = entry(root, 'clusters', 'cluster', text(context, 'cluster') ?? '', file);
  const user = entry(root, 'users', 'user', text(context, 'user') ?? '', file);
  if (cluster['insecure-skip-tls-verify'] === true) {
    throw configError(
      `${file}: cluster ${text(context, 'cluster')} sets insecure-skip-tls-verify; give its CA in certificate-authority-data instead`,
    );
  }
  const server = text(cluster, 'server');
  if (server === undefined)
    throw configError(`${file}: cluster ${text(context, 'cluster')} has no server`);
  const directory = path.dirname(path.resolve(file));
  const tlsServerName = text(cluster, 'tls-server-name');
  return {
    server: server.replace(/\/+$/, ''),
    currentNamespace: text(context, 'namespace'),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    readCa: () => material(cluster, 'certificate-authority', directory),
    readClientCertificate: async () => {
      const [cert, key] = await Promise.all([
        material(user, 'client-certificate', directory),
        material(user, 'client-key', directory),
      ]);
      return cert === undefined || key === undefined ? undefined : { cert, key };
    },
    readAuthorization: authorization(user, file, name, directory),
  };
}

function authorization(
  user: Section,
  file: string,
  context: string,
  directory: string,
): (fresh: boolean) => Promise<string | undefined> {
  const token = text(user, 'token');
  const tokenFile = text(user, 'tokenFile');
  if (tokenFile !== undefined) {
    return async () => `Bearer ${(await readText(path.resolve(directory, tokenFile))).trim()}`;
  }
  if (token !== undefined) return async () => `Bearer ${token}`;
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) {
    return pluginAuthorization(file, context);
  }
  const username = text(user, 'username');
  const password = text(user, 'password');
  if (username === undefined || password === undefined) return async () => undefined;
  const basic = `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  return async () => basic;
}

/** Logins by a plug-in or OIDC are left to the official client, loaded only when one is used. */
function pluginAuthorization(
  file: string,
  context: string,
): (fresh: boolean) => Promise<string | undefined> {
  return async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    config.loadFromFile(file);
    config.setCurrentContext(context);
    const request: { headers: Record<string, string> } = { headers: {} };
    await config.applyToHTTPSOptions(request);
    return request.headers['Authorization'];
  };
}

function parseYaml(source: string, file: string): unknown {
  try {
    return parse(source);
  } catch {
    // The parser quotes the line at fault, and a kubeconfig's lines hold tokens.
    throw configError(`${file}: not valid YAML`);
  }
}

function entry(root: Section, list: string, member: string, name: string, file: string): Section {
  const items = root[list];
  const found = Array.isArray(items)
    ? items.map(asSection).find((item) => item['name'] === name)
    : undefined;
  if (found === undefined) throw configError(`${file}: ${list} has no "${name}"`);
  return asSection(found[member]);
}

/** `<key>-data` (base64) wins over the file `<key>`, as in kubectl. */
async function material(
  section: Section,
  key: string,
  directory: string,
): Promise<string | undefined> {
  const inline = text(section, `${key}-data`);
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
  const file = text(section, key);
  return file === undefined ? undefined : readText(path.resolve(directory, file));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new KubeError('ERR_KUBE_CONFIG', `${file} cannot be read (${code})`, { cause });
  }
}

function text(section: Section, key: string): string | undefined {
  const value = section[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function asSection(value: unknown): Section {
  return typeof value === 'object' && value !== null ? (value as Section) : {};
}

function configError(message: string): KubeError {
  return new KubeError('ERR_KUBE_CONFIG', message);
}
