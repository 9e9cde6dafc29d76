/** The operator's configuration: one schema for the file, the flags and the reference page. */
import { z } from 'zod';
import { DURATION_PATTERN } from '#api/duration.ts';
import { admissionSchema, emergencySchema } from '#cli/admission-config.ts';
import type { AdmissionConfig, EmergencyConfig } from '#cli/admission-config.ts';
import { usageError } from '#cli/errors.ts';
import type { BackendName } from '#network/backends/backend.ts';
import { parseCidr } from '#network/cidr/parse-cidr.ts';

export interface OperatorConfig {
  readonly namespace: string;
  readonly identity: string;
  readonly serviceAccount: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly healthPort: number;
  readonly concurrency: number;
  readonly sourceRefresh: string;
  readonly sealKeys: { readonly rotateEvery: string; readonly acceptFor: string };
  readonly network: NetworkConfig;
  readonly admission: AdmissionConfig;
  readonly emergency: EmergencyConfig;
  readonly keyProvider:
    | { readonly name: 'local' }
    | {
        readonly name: 'passphrase';
        readonly passphraseFile: string;
        readonly previousPassphraseFile?: string | undefined;
      };
}

export interface NetworkConfig {
  readonly backends?: readonly Exclude<BackendName, 'NetworkPolicy' | 'NodeAgent'>[] | undefined;
  readonly nodeAgent: boolean;
  readonly policyEngine: 'Auto' | 'Present' | 'Absent';
  readonly podRanges: readonly string[];
  readonly serviceRanges: readonly string[];
  readonly operatorClients: readonly string[];
  readonly dnsService: { readonly namespace: string; readonly name: string };
  readonly feedOrigins: readonly string[];
}

const range = z
  .string()
  .refine((text) => parseCidr(text).ok, 'a range in its canonical form is wanted: 10.20.0.0/16');

const networkSchema = z.strictObject({
  backends: z
    .array(z.enum(['Cilium', 'Calico', 'ClusterNetworkPolicy']))
    .optional()
    .describe(
      'What may enforce IPBlocks beside NetworkPolicies, where the cluster serves it. Absent: all of them.',
    ),
  nodeAgent: z.boolean().default(false).describe('Whether the node agents are installed.'),
  policyEngine: z
    .enum(['Auto', 'Present', 'Absent'])
    .default('Auto')
    .describe('Whether something enforces NetworkPolicies. Auto: as far as it can be seen.'),
  podRanges: z
    .array(range)
    .default([])
    .describe('Addresses of pods, beside those that the nodes tell. Never blocked.'),
  serviceRanges: z
    .array(range)
    .default([])
    .describe('Addresses of Services, beside those that the ServiceCIDRs tell. Never blocked.'),
  operatorClients: z
    .array(range)
    .default([])
    .describe('Whence people reach the cluster and the gateway, such as an office. Never blocked.'),
  dnsService: z
    .strictObject({ namespace: z.string().min(1), name: z.string().min(1) })
    .default({ namespace: 'kube-system', name: 'kube-dns' })
    .describe('The Service of the DNS of the cluster.'),
  feedOrigins: z
    .array(
      z
        .string()
        .refine(
          (text) => URL.canParse(text) && new URL(text).origin === text,
          'an origin is wanted: http://crowdsec-service.crowdsec.svc:8080',
        ),
    )
    .default([])
    .describe('Origins inside of the cluster, or without TLS, that feeds may be fetched from.'),
});

const duration = z
  .string()
  .regex(new RegExp(DURATION_PATTERN), 'a duration such as 60s, 15m or 1h30m is wanted');

const keyProviderSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z
      .literal('local')
      .describe('Key-encryption key in a Secret of the operator’s namespace.'),
  }),
  z.strictObject({
    name: z
      .literal('passphrase')
      .describe('Key-encryption key derived from a passphrase (scrypt).'),
    passphraseFile: z
      .string()
      .min(1)
      .describe('File with the passphrase; its last line break is ignored.'),
    previousPassphraseFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the passphrase before, from a change of passphrase until all is rewrapped.',
      ),
  }),
]);

export const operatorConfigSchema: z.ZodType<OperatorConfig> = z.strictObject({
  namespace: z.string().min(1).describe('Namespace of the vault, the seal keys and the Lease.'),
  identity: z.string().min(1).describe('Name of this replica in the Lease and in Events.'),
  serviceAccount: z
    .string()
    .min(1)
    .default('strongroom-operator')
    .describe('ServiceAccount that the RoleBindings in guarded namespaces name.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least level of log lines; audit records are always written.'),
  healthPort: z
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe('Port of /livez, /readyz and /metrics; 0 picks a free one.'),
  concurrency: z.int().min(1).max(64).default(4).describe('Credentials worked on at once.'),
  sourceRefresh: duration.default('60s').describe('How often a secretRef source is read again.'),
  sealKeys: z
    .strictObject({
      rotateEvery: duration.default('2160h').describe('Age at which a new seal key is made.'),
      acceptFor: duration
        .default('8760h')
        .describe('How long a seal key still opens after a newer one took its place.'),
    })
    .prefault({})
    .describe('Life of the keys that values are sealed with.'),
  network: networkSchema.prefault({}).describe('What may talk.'),
  admission: admissionSchema.prefault({}).describe('Reviews of requests to the API server.'),
  emergency: emergencySchema.prefault({}).describe('Break-glass (EmergencyAccess).'),
  keyProvider: keyProviderSchema
    .default({ name: 'local' })
    .describe('Where the vault’s key-encryption key comes from.'),
});

/** Flags win over the file, the file over the environment, that over the defaults. */
export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string };
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, unknown>>;
}

/** Throws a usage error that names every wrong member and where it came from. */
export async function resolveOperatorConfig(sources: ConfigSources): Promise<OperatorConfig> {
  const file = sources.file === undefined ? {} : await parseFile(sources.file);
  const merged = {
    ...withoutUndefined(sources.environment),
    ...file,
    ...withoutUndefined(sources.flags),
  };
  const result = operatorConfigSchema.safeParse(merged);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const [member = ''] = issue.path.map(String);
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : '';
    const origin =
      member in withoutUndefined(sources.flags)
        ? 'flags'
        : member in file || unknown !== ''
          ? (sources.file?.name ?? 'flags')
          : 'no source; give it by flag, file or environment';
    return `${issue.path.join('.') || 'configuration'}: ${issue.message} (${origin})`;
  });
  throw usageError(`the configuration is not valid:\n  ${faults.join('\n  ')}`);
}

async function parseFile({
  name,
  text,
}: {
  readonly name: string;
  readonly text: string;
}): Promise<Record<string, unknown>> {
  const { parseYaml } = await import('#cli/yaml.ts');
  const value = parseYaml(text, name);
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw usageError(`${name}: a mapping is wanted`);
  return value as Record<string, unknown>;
}

function withoutUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
