/** The parts of the operator's configuration about admission and emergency access. */
import { z } from 'zod';
import { DURATION_PATTERN, isDuration, parseDuration } from '#api/duration.ts';
import type { Environment } from '#api/exchange-credential.ts';

export interface AdmissionConfig {
  readonly enabled: boolean;
  readonly port: number;
  readonly host?: string | undefined;
  readonly url?: string | undefined;
  readonly service: { readonly name: string; readonly port: number };
  readonly certificate: { readonly secret?: string | undefined };
  readonly clientCa?:
    | { readonly file: string; readonly commonNames: readonly string[] }
    | undefined;
  readonly detectCopies: boolean;
  readonly bootstrapSubjects: readonly BootstrapSubject[];
  readonly limits: {
    readonly requestBytes: number;
    readonly concurrency: number;
    readonly connections: number;
  };
}

/** As `bootstrapSubjects` of the chart. */
export interface BootstrapSubject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount';
  readonly name: string;
  readonly namespace?: string | undefined;
}

export interface EmergencyConfig {
  readonly maxDuration: string;
  readonly approvals: Readonly<Record<Environment, number>>;
  readonly selfApproval: boolean;
  readonly approvalTimeout: string;
  readonly noticeUrl?: string | undefined;
  readonly noticeKeyFile?: string | undefined;
  readonly noticePlainHttp: boolean;
}

const duration = z
  .string()
  .regex(new RegExp(DURATION_PATTERN), 'a duration such as 60s, 15m or 1h30m is wanted');

const LEAST_EMERGENCY_MS = 600_000;

export const admissionSchema: z.ZodType<AdmissionConfig, unknown> = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('Whether this replica reviews requests; the leader then configures the API server.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8443)
    .describe('Port of the webhook server (HTTPS); 0 picks a free one.'),
  host: z.string().min(1).optional().describe('Address to listen at. Absent: all of them.'),
  url: z
    .string()
    .refine(
      (text) =>
        URL.canParse(text) && new URL(text).protocol === 'https:' && new URL(text).origin === text,
      'an origin is wanted: https://127.0.0.1:8443',
    )
    .optional()
    .describe(
      'Where the API server finds the webhook, for an operator outside of the cluster. Absent: at the Service.',
    ),
  service: z
    .strictObject({
      name: z.string().min(1).default('strongroom-admission'),
      port: z.int().min(1).max(65_535).default(443),
    })
    .prefault({})
    .describe('The Service in the operator’s namespace at which the API server finds the webhook.'),
  certificate: z
    .strictObject({
      secret: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Secret in the operator’s namespace with tls.crt, tls.key and ca.crt, kept by somebody else, such as cert-manager. Absent: the operator makes its own.',
        ),
    })
    .prefault({})
    .describe('The certificate of the webhook server.'),
  clientCa: z
    .strictObject({
      file: z.string().min(1).describe('PEM file of the CAs that sign the client certificates.'),
      commonNames: z
        .array(z.string().min(1))
        .min(1)
        .describe('Common names of the clients that may ask.'),
    })
    .optional()
    .describe('Asks clients for a certificate. Absent: whoever reaches the port may ask.'),
  detectCopies: z
    .boolean()
    .default(true)
    .describe('Whether Secrets outside of guarded namespaces are compared with managed values.'),
  bootstrapSubjects: z
    .array(
      z.strictObject({
        kind: z.enum(['User', 'Group', 'ServiceAccount']),
        name: z.string().min(1),
        namespace: z.string().min(1).optional(),
      }),
    )
    .default([])
    .describe('Whom the first AccessPolicy may be made for, as long as there is none.'),
  limits: z
    .strictObject({
      requestBytes: z.int().min(65_536).max(67_108_864).default(8_388_608),
      concurrency: z.int().min(1).max(4096).default(256),
      connections: z.int().min(1).max(65_536).default(1000),
    })
    .prefault({})
    .describe('What a request may take: bytes, requests at once, connections at once.'),
});

const approvals = z.int().min(1).max(10).default(1);

export const emergencySchema: z.ZodType<EmergencyConfig, unknown> = z.strictObject({
  maxDuration: duration
    .refine(
      (text) => !isDuration(text) || parseDuration(text) >= LEAST_EMERGENCY_MS,
      'at least 10m is wanted: no token lives shorter',
    )
    .default('1h')
    .describe('How long an EmergencyAccess can last.'),
  approvals: z
    .strictObject({ Development: approvals, Staging: approvals, Production: approvals })
    .prefault({})
    .describe(
      'How many people must approve, by the environment of the namespace; one without counts as Production.',
    ),
  selfApproval: z
    .boolean()
    .default(false)
    .describe('Whether who holds EmergencyOverride may approve their own, with a second reason.'),
  approvalTimeout: duration.default('1h').describe('After this, what nobody approved is over.'),
  noticeUrl: z
    .string()
    .refine((text) => URL.canParse(text), 'a URL is wanted')
    .optional()
    .describe('Where notices of emergency access are posted, beside Events.'),
  noticeKeyFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the key that notices are signed with (HMAC-SHA-256).'),
  noticePlainHttp: z
    .boolean()
    .default(false)
    .describe('Whether notices may be posted without TLS.'),
});
