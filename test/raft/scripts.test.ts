/** Each script under `test/scripts/raft` still leaves the trace that is written in it. `UPDATE=1` writes the traces anew. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { runScript } from './script.ts';

const folder = new URL('../scripts/raft/', import.meta.url);

for (const name of readdirSync(folder).sort()) {
  test(`script ${name}`, () => {
    const file = new URL(name, folder);
    const text = readFileSync(file, 'utf8');
    const now = runScript(text);
    if (process.env.UPDATE === '1') writeFileSync(file, now);
    else assert.equal(now, text);
  });
}
