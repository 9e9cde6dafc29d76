/** The API server cuts off what is longer, and drops all warnings beyond 4096 characters in all. */
const MAX_WARNING = 256;

/** A warning for kubectl to print: at most 256 characters, and no line breaks. */
export function warn(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MAX_WARNING ? line : `${line.slice(0, MAX_WARNING - 1).trimEnd()}…`;
}
