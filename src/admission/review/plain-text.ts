/** Also what turns the direction of text: a name must not rewrite the sentence around it. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu;

/**
 * Text for a header or one line of a terminal: no control characters, no line breaks, no half
 * characters, at most `maxLength` characters (code points, as the API server counts them).
 */
export function plainText(text: string, maxLength: number): string {
  const clean = text.toWellFormed().replace(CONTROL, ' ').trim();
  // An upper bound first: most texts need no look at their single characters.
  if (clean.length <= maxLength) return clean;
  const characters = Array.from(clean);
  if (characters.length <= maxLength) return clean;
  return `${characters.slice(0, maxLength - 1).join('')}…`;
}
