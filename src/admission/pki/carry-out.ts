import type { issueAuthority, issueServing } from './issue.ts';
import type { PkiStep } from './decide.ts';
import { isIssuedBy, readCertificate, STAMP_KEY_BYTES } from './stored-pki.ts';
import type { StoredPki } from './stored-pki.ts';

export interface PkiIssuer {
  readonly issueAuthority: typeof issueAuthority;
  readonly issueServing: typeof issueServing;
  readonly entropy: (bytes: number) => Uint8Array;
}

/** What is stored after the step, all of it: one write, so that a crash is before it or after it. */
export async function carryOut(
  step: Exclude<PkiStep, { kind: 'keep' }>,
  stored: StoredPki,
  names: readonly string[],
  nowMs: number,
  { issueAuthority, issueServing, entropy }: PkiIssuer,
): Promise<StoredPki> {
  const stampKey = stored.stampKey ?? entropy(STAMP_KEY_BYTES);
  // Authorities whose certificates some replica may still serve, until they end.
  const known = stored.bundle.filter((pem) => !isOver(pem, nowMs));

  switch (step.kind) {
    case 'create': {
      const authority = await issueAuthority(nowMs);
      const serving = await issueServing(authority, names, nowMs);
      return { authority, serving, bundle: [authority.cert, ...known], stampKey };
    }
    case 'startCa': {
      const authority = await issueAuthority(nowMs);
      return { ...stored, authority, bundle: [authority.cert, ...known], stampKey };
    }
    case 'renewLeaf':
    case 'switchLeaf': {
      const { authority } = stored;
      if (authority === undefined) throw new TypeError('there is no authority to sign with');
      const serving = await issueServing(authority, names, nowMs);
      return { authority, serving, bundle: withAuthority(known, authority.cert), stampKey };
    }
    case 'dropOldCa':
      return { ...stored, bundle: issuersOf(stored), stampKey };
    case 'completeBundle':
      return { ...stored, bundle: withAuthority(known, stored.authority?.cert), stampKey };
    case 'createStampKey':
      return { ...stored, stampKey };
  }
}

function withAuthority(bundle: readonly string[], cert: string | undefined): readonly string[] {
  if (cert === undefined) return bundle;
  const own = readCertificate(cert)?.fingerprint256;
  const others = bundle.filter((pem) => readCertificate(pem)?.fingerprint256 !== own);
  return [cert, ...others];
}

/** The present authority, and whichever signed what is served. */
function issuersOf({ authority, serving, bundle }: StoredPki): readonly string[] {
  const served = serving === undefined ? undefined : readCertificate(serving.cert);
  const needed = bundle.filter((pem) => {
    const issuer = readCertificate(pem);
    return served !== undefined && issuer !== undefined && isIssuedBy(served, issuer);
  });
  return withAuthority(needed, authority?.cert);
}

function isOver(pem: string, nowMs: number): boolean {
  const certificate = readCertificate(pem);
  return certificate === undefined || certificate.validToDate.getTime() <= nowMs;
}
