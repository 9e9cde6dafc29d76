import { describe, expect, it } from 'vitest';
import type { NodeReport } from './node-report.ts';
import { nodeReportConfigMap, nodeReportName, readNodeReports } from './node-report.ts';

const report: NodeReport = {
  node: 'node-1',
  revision: 'abc',
  atMs: 1_764_151_200_000,
  ranges: 50_000,
  refused: { fromBanned: 7, toBanned: 3 },
  hits: [{ address: '198.51.100.7', packets: 7 }],
  problems: [{ type: 'DataPathBypassesNetfilter', message: 'seen cilium_host' }],
};

describe('reports of node agents', () => {
  it('are read as they were written', () => {
    const { revision: _revision, ...without } = report;
    for (const each of [report, without]) {
      expect(readNodeReports([nodeReportConfigMap(each, 'strongroom-system')])).toEqual([each]);
    }
  });

  const good = nodeReportConfigMap(report, 'strongroom-system');

  it.each([
    ['without the label', { ...good, metadata: { ...good.metadata, labels: {} } }],
    ['that speaks for another node', { ...good, data: { ...good.data, node: 'node-2' } }],
    ['without a time', { ...good, data: { ...good.data, at: 'yesterday' } }],
    ['without anything', { ...good, data: {} }],
  ])('are left out: one %s', (_, configMap) => {
    expect(readNodeReports([configMap, good])).toEqual([report]);
  });

  it('lose only what cannot be read', () => {
    const broken =
      '{"ranges":"many","hits":[1,{"address":2}],"problems":[{"type":"X"}],"refused":[]}';
    expect(readNodeReports([{ ...good, data: { ...good.data, report: broken } }])).toEqual([
      {
        ...report,
        ranges: 0,
        refused: { fromBanned: 0, toBanned: 0 },
        hits: [],
        problems: [],
      },
    ]);
    expect(readNodeReports([{ ...good, data: { ...good.data, report: '{' } }])).toHaveLength(1);
  });

  it('have names that the API takes, for names of nodes of any length', () => {
    const long = ['a'.repeat(253), `${'a'.repeat(252)}b`].map(nodeReportName);
    expect(new Set(long).size).toBe(2);
    expect(long.map((name) => name.length)).toEqual([253, 253]);
    expect(nodeReportName('ip-10-0-0-1.example')).toBe('strongroom-node-agent-ip-10-0-0-1.example');
  });
});
