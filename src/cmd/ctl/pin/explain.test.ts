import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCtl } from '../../../../test/support/ctl.ts';
import { startFakeApi } from '../../../../test/support/fake-api.ts';

const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';
const [a, b] = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
];
const metric = (name: string, value: string, weight: number, leftSeconds: number): string =>
  `{"name":"${name}","value":${JSON.stringify(value)},"weight":${weight},"expire":${1_700_000_000 + leftSeconds}000000000,` +
  `"received_at":1700000000000000000,"stale":${leftSeconds < 0}}`;
const body =
  `{"cid":"${cid}","pinned":false,"replication_factor_min":1,"replication_factor_max":2,` +
  `"allocate_by":["tag:group","freespace"],"current":[],"outcome":"chosen",` +
  `"reason":"0 holders count, below the minimum of 1: 1 of 1 possible peers are added, up to the maximum of 2",` +
  `"allocations":["${a}"],"error":"","decided_at":1700000000000000000,"peers":[` +
  `{"peer":"${a}","peername":"one","class":"candidate","chosen":true,"reason":"can take it; choice 1 of 1","metrics":[` +
  `${[metric('ping', '{}', 0, 14), metric('tag:group', 'x', 0, 20), metric('freespace', '10000000000', 10_000_000_000, 9)].join(',')}]},` +
  `{"peer":"${b}","peername":"","class":"dropped","chosen":false,"reason":"its metric freespace expired 12s ago","metrics":[` +
  `${[metric('ping', '{}', 0, 3), metric('freespace', '5', 5, -12)].join(',')}]}]}`;

async function run(argv: readonly string[]): Promise<{ exit: number; stdout: string; stderr: string; asked: string }> {
  const api = await startFakeApi((_, path) =>
    path.startsWith('/pins/') ? { body } : { status: 404, body: '404 page not found\n' },
  );
  try {
    return { ...(await runCtl(['--host', api.host, ...argv])), asked: api.requests[0] ?? '' };
  } finally {
    await api.close();
  }
}

test('ctl pin explain prints the decision and a line for each peer', async () => {
  const { exit, stdout, asked } = await run(['pin', 'explain', '--rmin', '1', '--rmax', '2', '--allocs', b, cid]);
  assert.equal(exit, 0);
  assert.match(
    asked,
    new RegExp(`^GET /pins/${cid}/allocation\\?.*replication-max=2&replication-min=1.*&user-alloc.*=${b}$`),
  );
  assert.equal(
    stdout,
    [
      `${cid}: is not pinned yet`,
      '  Repl. Factor: 1--2, by tag:group, freespace',
      `  Allocations: [${a}] (chosen)`,
      '  0 holders count, below the minimum of 1: 1 of 1 possible peers are added, up to the maximum of 2',
      `  PEER${' '.repeat(48)}  CHOSEN  CLASS      ping      tag:group    freespace       REASON`,
      `  ${`one ${a.slice(-6)}`.padEnd(52)}  yes     candidate  14s left  x, 20s left  10 GB, 9s left  can take it; choice 1 of 1`,
      `  ${b}  no      dropped    3s left   -            5 B, stale 12s  its metric freespace expired 12s ago`,
      '',
    ].join('\n'),
  );
});

test('ctl pin explain --enc json hands on what the peer says', async () => {
  const { exit, stdout } = await run(['--enc', 'json', 'pin', 'explain', cid]);
  assert.equal(exit, 0);
  assert.deepEqual(JSON.parse(stdout), JSON.parse(body));
});

test('ctl pin explain refuses what pin add refuses', async () => {
  assert.match((await run(['pin', 'explain'])).stderr, /an argument is missing, expected: .*pin explain <CID>/);
  assert.match((await run(['pin', 'explain', '--mode', 'x', cid])).stderr, /found "x", expected recursive or direct/);
  assert.match((await run(['pin', 'explain', 'nonsense'])).stderr, /error parsing cid: /);
});
