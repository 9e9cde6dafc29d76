import { expect, it } from 'vitest';
import { nodeReportConfigMap } from '../node-agent/node-report.ts';
import { oldReports } from './old-reports.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

it('takes away the reports of nodes that are gone, an hour after the last one', () => {
  const reports = [
    ['here', 600],
    ['gone', 61],
    ['just-gone', 59],
  ].map(([node, minutes]) =>
    nodeReportConfigMap(
      {
        node: String(node),
        atMs: NOW - Number(minutes) * 60_000,
        ranges: 0,
        refused: { fromBanned: 0, toBanned: 0 },
        hits: [],
        problems: [],
      },
      'strongroom-system',
    ),
  );
  expect(oldReports(reports, ['here'], NOW)).toEqual([reports[1]]);
});
