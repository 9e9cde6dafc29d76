import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { issueAuthority, issueServing } from './issue.ts';
import { coversNames, isIssuedBy } from './stored-pki.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NAMES = ['strongroom-webhook.strongroom-system.svc', '127.0.0.1', '::1'];

const authority = await issueAuthority(NOW);
const serving = await issueServing(authority, NAMES, NOW);
const ca = new X509Certificate(authority.cert);
const leaf = new X509Certificate(serving.cert);

describe('certificates', () => {
  test('an authority: an hour back, a year on, for signing alone', () => {
    expect(ca.ca).toBe(true);
    expect(ca.validFromDate.getTime()).toBe(NOW - HOUR);
    expect(ca.validToDate.getTime()).toBe(NOW + 365 * DAY);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(ca.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  test('a serving certificate: an hour back, 90 days on, by its authority, for its names', () => {
    expect(leaf.ca).toBe(false);
    expect(leaf.validFromDate.getTime()).toBe(NOW - HOUR);
    expect(leaf.validToDate.getTime()).toBe(NOW + 90 * DAY);
    expect(isIssuedBy(leaf, ca)).toBe(true);
    expect(coversNames(leaf, NAMES)).toBe(true);
    expect(coversNames(leaf, [...NAMES, 'other.svc'])).toBe(false);
    expect(coversNames(leaf, ['127.0.0.2'])).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  test('it does not outlive its authority', async () => {
    const late = await issueServing(authority, NAMES, NOW + 300 * DAY);
    expect(new X509Certificate(late.cert).validToDate.getTime()).toBe(NOW + 365 * DAY);
  });

  test('two authorities have different names, keys and numbers', async () => {
    const other = new X509Certificate((await issueAuthority(NOW + 1000)).cert);
    expect(other.subject).not.toBe(ca.subject);
    expect(other.serialNumber).not.toBe(ca.serialNumber);
    expect(isIssuedBy(leaf, other)).toBe(false);
  });

  test('a long name stands among the alternative ones only', async () => {
    const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.svc`;
    const { cert } = await issueServing(authority, [name], NOW);
    expect(new X509Certificate(cert).subject).toBe('CN=strongroom-admission');
    expect(coversNames(new X509Certificate(cert), [name])).toBe(true);
  });

  test('without a name there is none', async () => {
    await expect(issueServing(authority, [], NOW)).rejects.toThrow('needs a name');
  });

  test('openssl takes them, strictly', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'strongroom-pki-'));
    try {
      const [caFile, leafFile] = ['ca.pem', 'leaf.pem'].map((name) => path.join(folder, name));
      writeFileSync(caFile ?? '', authority.cert);
      writeFileSync(leafFile ?? '', serving.cert);
      const verify = (...more: readonly string[]): string =>
        execFileSync(
          'openssl',
          ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', String(NOW / 1000)].concat(
            more,
            ['-CAfile', caFile ?? '', leafFile ?? ''],
          ),
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
        );
      expect(verify('-verify_hostname', NAMES[0] ?? '')).toContain('OK');
      expect(verify('-verify_ip', '127.0.0.1')).toContain('OK');
      expect(() => verify('-verify_hostname', 'other.svc')).toThrow(/hostname mismatch/i);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
