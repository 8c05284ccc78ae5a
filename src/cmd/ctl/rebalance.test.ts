import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCtl } from '../../../test/support/ctl.ts';
import { startFakeApi } from '../../../test/support/fake-api.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const [a, b] = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
];
const shares =
  `[{"peer":"${a}","peername":"one","takes_part":true,"before":12,"after":9},` +
  `{"peer":"${b}","peername":"","takes_part":false,"before":4,"after":7}]`;
const moveLine = (state: string): string =>
  `{"move":{"cid":"${cid}","from":"${a}","to":"${b}","why":"spread","state":"${state}"}}`;
const summaryLine = (more: string): string => `{"summary":{${more},"shares":${shares}}}`;

async function run(argv: readonly string[], body: readonly string[]) {
  const api = await startFakeApi(() => ({ body }));
  try {
    return { ...(await runCtl(['--host', api.host, ...argv])), asked: api.requests[0] ?? '' };
  } finally {
    await api.close();
  }
}

const table = [
  '',
  `PEER${' '.repeat(48)}  BEFORE  AFTER  CHANGE  TAKES PART`,
  `${`one ${a.slice(-6)}`.padEnd(52)}  12      9      -3      yes`,
  `${b}  4       7      +3      no`,
];

test('ctl rebalance --dry-run prints what would be moved, and the shares', async () => {
  const body = [
    moveLine('planned'),
    summaryLine('"dry_run":true,"planned":1,"moved":0,"skipped":0,"failed":0,"cut":true'),
  ];
  const { exit, stdout, asked } = await run(['rebalance', '--dry-run', '--max-moves', '1'], body);
  assert.equal(exit, 0);
  assert.equal(asked, 'POST /rebalance?dry-run=true&max-moves=1');
  const last = '1 move planned, none made; there can be more to do: run it again, or with more --max-moves';
  assert.equal(stdout, [`${cid}: ${a} -> ${b} | spread | PLANNED`, ...table, last, ''].join('\n'));
});

test('ctl rebalance tells how far it came, and fails when some pins could not be moved', async () => {
  const counts = '"dry_run":false,"planned":5,"moved":3,"skipped":1,"failed":1,"cut":false';
  const { exit, stdout, stderr, asked } = await run(['rebalance'], [moveLine('failed'), summaryLine(counts)]);
  assert.equal(exit, 1);
  assert.equal(asked, 'POST /rebalance?dry-run=false&max-moves=1000');
  const last = '3 of 5 moved, 1 skipped, 1 failed';
  assert.equal(stdout, [`${cid}: ${a} -> ${b} | spread | FAILED`, ...table, last, ''].join('\n'));
  assert.equal(stderr, 'error rebalancing: 1 pin could not be moved; the log of the peer tells why\n');
});

test('ctl rebalance --enc json hands on the lines of the peer, and refuses numbers that make no sense', async () => {
  const lines = [
    moveLine('moved'),
    summaryLine('"dry_run":false,"planned":1,"moved":1,"skipped":0,"failed":0,"cut":false'),
  ];
  const { stdout } = await run(['--enc', 'json', 'rebalance'], lines);
  assert.equal(stdout.replace(/\s/g, ''), lines.join('').replace(/\s/g, ''));
  const bad = await run(['rebalance', '--max-moves', '0'], lines);
  assert.deepEqual([bad.exit, bad.stderr], [1, 'error parsing max-moves: found 0, expected 1 or more\n']);
});
