import { describe, expect, it } from 'vitest';
import { resolveOperatorConfig } from '#cli/operator-config.ts';

const environment = { namespace: 'strongroom-system', identity: 'pod-0' };

describe('resolveOperatorConfig', () => {
  it('fills in documented defaults', async () => {
    expect(await resolveOperatorConfig({ flags: {}, environment })).toEqual({
      namespace: 'strongroom-system',
      identity: 'pod-0',
      serviceAccount: 'strongroom-operator',
      logLevel: 'info',
      healthPort: 8080,
      concurrency: 4,
      sourceRefresh: '60s',
      sealKeys: { rotateEvery: '2160h', acceptFor: '8760h' },
      network: {
        nodeAgent: false,
        policyEngine: 'Auto',
        podRanges: [],
        serviceRanges: [],
        operatorClients: [],
        dnsService: { namespace: 'kube-system', name: 'kube-dns' },
        feedOrigins: [],
      },
      admission: {
        enabled: false,
        port: 8443,
        service: { name: 'strongroom-admission', port: 443 },
        certificate: {},
        detectCopies: true,
        bootstrapSubjects: [],
        limits: { requestBytes: 8_388_608, concurrency: 256, connections: 1000 },
      },
      emergency: {
        maxDuration: '1h',
        approvals: { Development: 1, Staging: 1, Production: 1 },
        selfApproval: false,
        approvalTimeout: '1h',
        noticePlainHttp: false,
      },
      keyProvider: { name: 'local' },
    });
  });

  it('lets flags win over the file, and the file over the environment', async () => {
    const config = await resolveOperatorConfig({
      flags: { logLevel: 'debug', healthPort: undefined },
      file: { name: 'operator.yaml', text: 'logLevel: warn\nhealthPort: 9000\nidentity: file' },
      environment,
    });
    expect(config).toMatchObject({ logLevel: 'debug', healthPort: 9000, identity: 'file' });
  });

  it('takes the passphrase before beside the present one', async () => {
    const keyProvider = { name: 'passphrase', passphraseFile: 'a', previousPassphraseFile: 'b' };
    const file = { name: 'operator.yaml', text: JSON.stringify({ keyProvider }) };
    const config = await resolveOperatorConfig({ flags: {}, file, environment });
    expect(config.keyProvider).toEqual(keyProvider);
  });

  it.each([
    ['unknown member', 'loglevel: debug', /loglevel.*\(operator\.yaml\)/s],
    ['wrong duration', 'sourceRefresh: soon', /sourceRefresh: a duration.*\(operator\.yaml\)/s],
    ['passphrase without file', 'keyProvider: { name: passphrase }', /keyProvider\.passphraseFile/],
    ['unknown provider', 'keyProvider: { name: hsm }', /keyProvider/],
    ['url with a path', 'admission: { url: "https://127.0.0.1:1/x" }', /admission\.url: an origin/],
    [
      'client CA without names',
      'admission: { clientCa: { file: a, commonNames: [] } }',
      /clientCa/,
    ],
    ['emergency of a minute', 'emergency: { maxDuration: 1m }', /maxDuration: at least 10m/],
    ['no approvals', 'emergency: { approvals: { Production: 0 } }', /approvals\.Production/],
    ['no mapping', '- a', /a mapping is wanted/],
    ['no YAML', 'a: "', /not valid YAML/],
  ])('refuses a file with %s and says where it stands', async (_, text, message) => {
    const file = { name: 'operator.yaml', text };
    await expect(resolveOperatorConfig({ flags: {}, file, environment })).rejects.toThrow(message);
  });

  it('asks for what has no default', async () => {
    await expect(resolveOperatorConfig({ flags: {}, environment: {} })).rejects.toThrow(
      /namespace: .*no source/,
    );
  });
});
