/**
 * What a log may say of an error. A message is quoted only where its author promises that it holds
 * no values: errors with a `code` that also say whether they are `retryable`, as all of ours do. Of
 * others, such as a SyntaxError that quotes the JSON it was given, only the kind and the place.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined && 'retryable' in error) return `${code}: ${error.message}`;
  const frames = error.stack?.replace(error.message, '').split('\n');
  const frame = frames?.find((line) => line.startsWith('    at '));
  return [error.name, code, frame?.trim()].filter((part) => part !== undefined).join(' ');
}
