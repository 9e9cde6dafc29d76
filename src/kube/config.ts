/** Where the API server is and how to log in to it: from a kubeconfig, or from inside a pod. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { KubeError } from '#kube/errors.ts';
import { createPluginLogin } from '#kube/login.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Read anew by the transport, so that rotated tokens and CAs take effect. */
export interface ClusterConfig {
  /** Base URL without a trailing slash. */
  readonly server: string;
  readonly currentNamespace: string | undefined;
  readonly tlsServerName?: string;
  /** PEM; undefined means the CAs that Node trusts. */
  readonly readCa: () => Promise<string | undefined>;
  /** `fresh` asks past any cache, after a 401. */
  readonly readClientCertificate: (fresh: boolean) => Promise<ClientCertificate | undefined>;
  /** Value of the Authorization header. `fresh` as above. */
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
    readAuthorization: () => bearer(path.join(directory, 'token')),
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
  refuseUnsupported(cluster, `${file}: cluster ${text(context, 'cluster')}`, {
    'insecure-skip-tls-verify': 'give its CA in certificate-authority-data instead',
    'proxy-url': 'proxies are not supported',
  });
  refuseUnsupported(user, `${file}: user ${text(context, 'user')}`, {
    as: IMPERSONATION,
    'as-uid': IMPERSONATION,
    'as-groups': IMPERSONATION,
    'as-user-extra': IMPERSONATION,
  });
  const tlsServerName = text(cluster, 'tls-server-name');
  const directory = path.dirname(path.resolve(file));
  return {
    server: serverUrl(text(cluster, 'server'), `${file}: cluster ${text(context, 'cluster')}`),
    currentNamespace: text(context, 'namespace'),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    readCa: () => material(cluster, 'certificate-authority', directory),
    ...credentials(user, file, name, directory),
  };
}

const IMPERSONATION = 'impersonation is not supported, and without it you would be someone else';

/** What would change whom we talk to, and as whom, must not be passed over in silence. */
function refuseUnsupported(
  section: Section,
  where: string,
  advice: Readonly<Record<string, string>>,
): void {
  for (const [key, why] of Object.entries(advice)) {
    const value = section[key];
    if (value !== undefined && value !== null && value !== false && value !== '') {
      throw configError(`${where} sets ${key}: ${why}`);
    }
  }
}

function serverUrl(server: string | undefined, where: string): string {
  if (server === undefined) throw configError(`${where} has no server`);
  const url = URL.parse(server);
  if (url === null) throw configError(`${where}: its server is no URL`);
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  // Plain HTTP shows the token to the network; on this machine it is how kubectl proxy is reached.
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) {
    throw configError(`${where}: its server must be reached by https`);
  }
  return server.replace(/\/+$/, '');
}

function credentials(
  user: Section,
  file: string,
  context: string,
  directory: string,
): Pick<ClusterConfig, 'readAuthorization' | 'readClientCertificate'> {
  const token = text(user, 'token');
  const tokenFile = text(user, 'tokenFile');
  const usesPlugin = user['exec'] !== undefined || user['auth-provider'] !== undefined;
  if (usesPlugin && token === undefined && tokenFile === undefined) {
    const login = createPluginLogin(path.resolve(file), context);
    return {
      readAuthorization: async (fresh) => (await login(fresh)).authorization,
      readClientCertificate: async (fresh) => (await login(fresh)).certificate,
    };
  }
  const username = text(user, 'username');
  const password = text(user, 'password');
  const basic =
    username === undefined || password === undefined
      ? undefined
      : `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  return {
    async readAuthorization() {
      if (tokenFile !== undefined) return bearer(path.resolve(directory, tokenFile));
      if (token !== undefined) return `Bearer ${token}`;
      return basic;
    },
    async readClientCertificate() {
      const [cert, key] = await Promise.all([
        material(user, 'client-certificate', directory),
        material(user, 'client-key', directory),
      ]);
      return cert === undefined || key === undefined ? undefined : { cert, key };
    },
  };
}

async function bearer(file: string): Promise<string> {
  const token = (await readText(file)).trim();
  if (token === '') throw configError(`${file} is empty, and should hold a token`);
  return `Bearer ${token}`;
}

function parseYaml(source: string, file: string): unknown {
  try {
    // Warnings quote their input as errors do.
    return parse(source, { logLevel: 'error' });
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
