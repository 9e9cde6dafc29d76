/**
 * `make bench [ONLY=name]`: runs the benchmarks, prints the figures and writes each one's to
 * `bench/results/<name>.json`. Peers run in the same process and the same run, because figures of
 * another machine or day compare nothing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { admission } from './admission.ts';
import { reportOf } from './benchmark.ts';
import { blocks } from './blocks.ts';
import { cidr } from './cidr.ts';
import { client } from './client.ts';
import { decision } from './decision.ts';
import { envelope } from './envelope.ts';
import { networkCompile } from './network-compile.ts';
import { nodeAgent } from './node-agent.ts';
import { policies } from './policies.ts';
import { start } from './start.ts';

const BENCHMARKS = [
  envelope,
  start,
  client,
  cidr,
  decision,
  policies,
  blocks,
  networkCompile,
  nodeAgent,
  admission,
];
const results = path.join(import.meta.dirname, 'results');

const only = process.argv[2];
const chosen = BENCHMARKS.filter(({ name }) => only === undefined || name === only);
if (chosen.length === 0) {
  console.error(
    `no benchmark ${only}; there are: ${BENCHMARKS.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
await mkdir(results, { recursive: true });
for (const benchmark of chosen) {
  const report = reportOf(benchmark.name, await benchmark.run());
  const file = path.join(results, `${benchmark.name}.json`);
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`${report.name} (${report.machine}, Node ${report.node})`);
  for (const { what, ours, peers, ratios, others = {} } of report.results) {
    console.log(`  ${what}: ${ours.medianMs} ms (p95 ${ours.p95Ms} ms, p99 ${ours.p99Ms} ms)`);
    for (const [peer, figures] of Object.entries(peers)) {
      console.log(
        `    ${peer}: ${figures.medianMs} ms (p99 ${figures.p99Ms} ms), that is ${ratios[peer]} × ours`,
      );
    }
    for (const [name, value] of Object.entries(others)) console.log(`    ${name}: ${value}`);
  }
}
