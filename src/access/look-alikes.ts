/**
 * Names that people take for another: by a letter of another script, by case, by characters that
 * nobody sees. Access compares names exactly, as the cluster does; this is only for telling people.
 */

/** Cyrillic, Greek and a few more letters that read as a Latin one. */
const LOOKS_LIKE: ReadonlyMap<string, string> = new Map(
  [
    // Cyrillic, small and capital.
    ['аеорсухіјѕԁԛԝһѵӏкьɡꞓ', 'aeopcyxijsdqwhvlkbgc'],
    ['АВЕКМНОРСТУХІЈЅԌԚԜҺѴӀ', 'ABEKMHOPCTYXIJSGQWHVl'],
    // Greek, small and capital.
    ['αγεικνορτυχωϲϳ', 'ayeikvoptuxwcj'],
    ['ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ', 'ABEZHIKMNOPTYXCJ'],
    // Latin letters that are not of the alphabet.
    ['ıɑɩʟ', 'iail'],
  ].flatMap(([from = '', to = '']) => {
    const latin = Array.from(to);
    return Array.from(from, (letter, place) => [letter, latin[place] ?? letter] as const);
  }),
);

const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cc}]/gu;
// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7F]*$/;
const SCRIPTS = [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
] as const;

/** Equal for names that read the same. */
export function skeletonOf(name: string): string {
  if (ASCII.test(name)) return squeeze(name).toLowerCase();
  const plain = toLatin(toLatin(name).normalize('NFKC'));
  return squeeze(plain.replaceAll(UNSEEN, '')).toLowerCase();
}

/** What is odd about a name by itself, said after it: `has …`; undefined for a plain one. */
export function oddityOf(name: string): string | undefined {
  if (name.match(UNSEEN) !== null) return `has characters that nobody sees (${codesOf(name)})`;
  if (ASCII.test(name)) {
    return name === squeeze(name) ? undefined : 'has spaces that are easily overlooked';
  }
  for (const word of name.match(/[\p{L}\p{M}]+/gu) ?? []) {
    if (ASCII.test(word)) continue;
    const scripts = SCRIPTS.filter(([, pattern]) => pattern.test(word)).map(([script]) => script);
    if (scripts.length > 1) return `mixes ${scripts.join(' and ')} letters (${codesOf(name)})`;
    const skeleton = skeletonOf(word);
    if (ASCII.test(skeleton)) return `reads as “${skeletonOf(name)}” (${codesOf(name)})`;
  }
  if (name !== name.normalize('NFKC')) {
    return `has letters that are written in more than one way (${codesOf(name)})`;
  }
  return undefined;
}

function toLatin(text: string): string {
  return Array.from(text, (letter) => LOOKS_LIKE.get(letter) ?? letter).join('');
}

function squeeze(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}

/** The first few that are not of ASCII or are not seen. */
function codesOf(name: string): string {
  const odd = [...new Set(name)].filter(
    (letter) => !ASCII.test(letter) || letter.match(UNSEEN) !== null,
  );
  return odd
    .slice(0, 3)
    .map(
      (letter) => `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
    )
    .join(', ');
}
