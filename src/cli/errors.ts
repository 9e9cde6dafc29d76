/** Exit codes; a contract that scripts rely on (docs/reference/commands.md). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  forbidden: 4,
  timedOut: 5,
  /** "can-i" answers no. Like a failure: who goes on at 0 alone goes on at a yes alone. */
  no: 1,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error whose message is meant for the person at the terminal: what was found, what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The command did its work, and its answer is no: by exit code, too, and without an error. */
export class NegativeAnswer extends CliError {
  constructor() {
    super('no', EXIT.no);
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT.usage);
}

/** Codes of the modules below, as exit codes; whatever is not listed is a plain failure. */
const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  ERR_KUBE_NOT_FOUND: EXIT.notFound,
  ERR_KUBE_FORBIDDEN: EXIT.forbidden,
  ERR_KUBE_UNAUTHORIZED: EXIT.forbidden,
  ERR_KUBE_TIMEOUT: EXIT.timedOut,
  ERR_KUBE_INVALID: EXIT.usage,
  ERR_KUBE_CONFIG: EXIT.usage,
  ENOENT: EXIT.notFound,
};

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (typeof error === 'object' && error !== null && 'code' in error) {
    const { code } = error;
    if (typeof code === 'string') return EXIT_BY_CODE[code] ?? EXIT.failed;
  }
  return EXIT.failed;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
