import type { Status } from '#kube/objects.ts';

export type KubeErrorCode =
  | 'ERR_KUBE_NOT_FOUND'
  | 'ERR_KUBE_ALREADY_EXISTS'
  | 'ERR_KUBE_CONFLICT'
  | 'ERR_KUBE_GONE'
  | 'ERR_KUBE_FORBIDDEN'
  | 'ERR_KUBE_UNAUTHORIZED'
  | 'ERR_KUBE_INVALID'
  | 'ERR_KUBE_TOO_MANY_REQUESTS'
  | 'ERR_KUBE_NAMESPACE_TERMINATING'
  | 'ERR_KUBE_UNAVAILABLE'
  | 'ERR_KUBE_TIMEOUT'
  | 'ERR_KUBE_NETWORK'
  | 'ERR_KUBE_ABORTED'
  | 'ERR_KUBE_PROTOCOL'
  | 'ERR_KUBE_CONFIG';

export interface KubeErrorCause {
  readonly field?: string;
  readonly reason?: string;
  readonly message?: string;
}

interface KubeErrorOptions extends ErrorOptions {
  readonly status?: number;
  readonly reason?: string;
  readonly retryAfterMs?: number;
  readonly causes?: readonly KubeErrorCause[];
}

const RETRYABLE: ReadonlySet<KubeErrorCode> = new Set([
  'ERR_KUBE_CONFLICT',
  'ERR_KUBE_TOO_MANY_REQUESTS',
  'ERR_KUBE_UNAVAILABLE',
  'ERR_KUBE_TIMEOUT',
  'ERR_KUBE_NETWORK',
]);

/** A call to the API server that failed. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  /** HTTP status, where the server answered. */
  readonly status: number | undefined;
  /** The `reason` of the server's Status. */
  readonly reason: string | undefined;
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly KubeErrorCause[];

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.reason = options.reason;
    this.retryAfterMs = options.retryAfterMs;
    this.causes = options.causes ?? [];
  }

  /** Whether the same call can succeed later, as it stands or after a fresh read. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

export function isKubeError(error: unknown, code?: KubeErrorCode): error is KubeError {
  return error instanceof KubeError && (code === undefined || error.code === code);
}

const CODE_BY_STATUS: Readonly<Record<number, KubeErrorCode>> = {
  400: 'ERR_KUBE_INVALID',
  401: 'ERR_KUBE_UNAUTHORIZED',
  403: 'ERR_KUBE_FORBIDDEN',
  404: 'ERR_KUBE_NOT_FOUND',
  408: 'ERR_KUBE_TIMEOUT',
  409: 'ERR_KUBE_CONFLICT',
  410: 'ERR_KUBE_GONE',
  413: 'ERR_KUBE_INVALID',
  415: 'ERR_KUBE_INVALID',
  422: 'ERR_KUBE_INVALID',
  429: 'ERR_KUBE_TOO_MANY_REQUESTS',
  504: 'ERR_KUBE_TIMEOUT',
};

/**
 * The error for an answer of `httpStatus`. The server's message is kept, but for a refused Secret:
 * there it can quote what was sent.
 */
export function errorFromStatus(
  call: string,
  httpStatus: number,
  status: Status | undefined,
  retryAfterMs: number | undefined,
  quotable: boolean,
): KubeError {
  const causes = status?.details?.causes ?? [];
  const seconds = status?.details?.retryAfterSeconds;
  const options = {
    status: httpStatus,
    ...(status?.reason === undefined ? {} : { reason: status.reason }),
    ...(retryAfterMs === undefined && seconds === undefined
      ? {}
      : { retryAfterMs: retryAfterMs ?? (seconds ?? 0) * 1000 }),
    causes: quotable
      ? causes
      : causes.map(({ field, reason }) => ({
          ...(field === undefined ? {} : { field }),
          ...(reason === undefined ? {} : { reason }),
        })),
  };
  const said = quotable ? status?.message : status?.reason;
  return new KubeError(
    codeOf(httpStatus, status, causes),
    `${call}: ${said ?? `HTTP ${httpStatus}`}`,
    options,
  );
}

function codeOf(
  httpStatus: number,
  status: Status | undefined,
  causes: readonly KubeErrorCause[],
): KubeErrorCode {
  if (causes.some((cause) => cause.reason === 'NamespaceTerminating')) {
    return 'ERR_KUBE_NAMESPACE_TERMINATING';
  }
  if (status?.reason === 'AlreadyExists') return 'ERR_KUBE_ALREADY_EXISTS';
  if (status?.reason === 'Expired') return 'ERR_KUBE_GONE';
  return (
    CODE_BY_STATUS[httpStatus] ?? (httpStatus >= 500 ? 'ERR_KUBE_UNAVAILABLE' : 'ERR_KUBE_PROTOCOL')
  );
}
