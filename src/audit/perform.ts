import type { Audit, AuditRecord } from '#audit/audit.ts';

export type Act = Omit<AuditRecord, 'outcome' | 'decision'>;

/**
 * Does `effect` with a record before it and one after it. When the first record cannot be written
 * the effect does not happen; when the effect fails that is recorded and its error is thrown on.
 */
export async function perform<T>(
  audit: Audit,
  act: Act,
  effect: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await audit({ ...act, decision: 'Allow', outcome: 'Intended' }, signal);
  let result: T;
  try {
    result = await effect();
  } catch (error) {
    await audit({
      ...act,
      decision: 'Allow',
      outcome: 'Failed',
      details: { ...act.details, error: errorCode(error) },
    });
    throw error;
  }
  await audit({ ...act, decision: 'Allow', outcome: 'Succeeded' });
  return result;
}

/** The code of an error, never its message: messages of foreign libraries can quote their input. */
function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    const { code } = error;
    if (typeof code === 'string') return code;
  }
  return error instanceof Error ? error.name : 'Unknown';
}
