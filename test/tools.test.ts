/** The repository's own tools refuse what they do not understand before they start anything. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const tools = fileURLToPath(new URL('../tools/', import.meta.url));

for (const [line, code, expected] of [
  ['soak.ts --help', 0, /^usage: npm run soak /],
  ['soak.ts --bogus', 2, /^Unknown option '--bogus'/],
  ['soak.ts --rounds many', 2, /^--rounds: found "many", expected a whole number of at least 1\n$/],
  ['soak.ts --peers 3 --go 4', 2, /^--go: found "4", expected a whole number from 0 to 3\n$/],
  ['soak.ts --go 2', 2, /^--go: GO_CLUSTER_BIN: found "", expected the folder of the Go program [a-z-]+\n$/],
  ['bench.ts --help', 0, /^usage: npm run bench /],
  ['bench.ts --bogus', 2, /^found "--bogus", expected a part of the name of a benchmark\n/],
  ['bench.ts nonexistent', 2, /^found "nonexistent", expected .*\nusage: .*\nbenchmarks: bench\/.*rpc\.bench\.ts/],
] as const) {
  test(`${line}`, () => {
    const [tool = '', ...args] = line.split(' ');
    const env = { ...process.env, GO_CLUSTER_BIN: '' };
    const ran = spawnSync(process.execPath, [tools + tool, ...args], { encoding: 'utf8', env, timeout: 60_000 });
    assert.match(ran.stdout + ran.stderr, expected);
    assert.equal(ran.status, code);
  });
}
