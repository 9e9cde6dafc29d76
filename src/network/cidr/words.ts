/**
 * Addresses as words of 32 bits, most significant first: one word for IPv4, four for IPv6. Lists of
 * them lie in one array, because objects or big numbers for each would cost more than the work.
 */
export type Width = 1 | 4;

/** Below 0, 0 or above 0, as the address at `a[at]` is before, equal to or after that at `b[bt]`. */
export function compare(
  width: Width,
  a: Uint32Array,
  at: number,
  b: Uint32Array,
  bt: number,
): number {
  for (let word = 0; word < width; word += 1) {
    const difference = (a[at + word] ?? 0) - (b[bt + word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function isZero(width: Width, words: Uint32Array, at: number): boolean {
  for (let word = 0; word < width; word += 1) if (words[at + word] !== 0) return false;
  return true;
}

/** To the first address behind the CIDR that begins there; the end of all addresses is zero. */
export function skipBlock(width: Width, words: Uint32Array, at: number, prefix: number): void {
  if (prefix === 0) {
    words.fill(0, at, at + width);
    return;
  }
  let word = (prefix - 1) >>> 5;
  let sum = (words[at + word] ?? 0) + (0x8000_0000 >>> ((prefix - 1) & 31));
  words[at + word] = sum;
  while (sum > 0xffff_ffff && word > 0) {
    word -= 1;
    sum = (words[at + word] ?? 0) + 1;
    words[at + word] = sum;
  }
}

/** How many bits at the end are zero. */
export function trailingZeros(width: Width, words: Uint32Array, at: number): number {
  return trailing(width, words, at, 0);
}

/** How many bits at the end are one. */
export function trailingOnes(width: Width, words: Uint32Array, at: number): number {
  return trailing(width, words, at, -1);
}

function trailing(width: Width, words: Uint32Array, at: number, flip: 0 | -1): number {
  for (let word = width - 1; word >= 0; word -= 1) {
    const bits = (words[at + word] ?? 0) ^ flip;
    if (bits !== 0) return (width - 1 - word) * 32 + 31 - Math.clz32(bits & -bits);
  }
  return width * 32;
}

/** How many bits at the end hold all differences between two addresses. */
export function differingBits(width: Width, a: Uint32Array, b: Uint32Array): number {
  for (let word = 0; word < width; word += 1) {
    const bits = (a[word] ?? 0) ^ (b[word] ?? 0);
    if (bits !== 0) return (width - word) * 32 - Math.clz32(bits);
  }
  return 0;
}

/** Whether four words are an IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2). */
export function isMapped(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

export function toBigInt(width: Width, words: Uint32Array, at: number): bigint {
  if (width === 1) return BigInt(words[at] ?? 0);
  let value = 0n;
  for (let word = 0; word < width; word += 1)
    value = (value << 32n) | BigInt(words[at + word] ?? 0);
  return value;
}

export function fromBigInt(width: Width, value: bigint, words: Uint32Array, at: number): void {
  let rest = value;
  for (let word = width - 1; word >= 0; word -= 1) {
    words[at + word] = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
  }
}

/** A list of addresses that grows. */
export interface WordList {
  /** How many addresses. */
  readonly length: number;
  push(from: Uint32Array, at: number): void;
  /** Those pushed, and nothing behind them. */
  words(): Uint32Array;
}

export function createWordList(width: Width, expected: number): WordList {
  let words = new Uint32Array(Math.max(expected, 4) * width);
  let used = 0;
  return {
    get length() {
      return used / width;
    },
    push(from, at) {
      if (used === words.length) {
        const larger = new Uint32Array(words.length * 2);
        larger.set(words);
        words = larger;
      }
      for (let word = 0; word < width; word += 1) words[used + word] = from[at + word] ?? 0;
      used += width;
    },
    words: () => words.slice(0, used),
  };
}
