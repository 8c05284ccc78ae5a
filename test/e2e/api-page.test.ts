/** The page of the APIs in a real browser: it shows every operation, carries one out, and asks nobody but its peer. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Chromium, findChromium, startChromium } from '../support/chromium.ts';
import { operationsOf } from '../support/openapi.ts';
import { type PinningPeers, startPinningPeers } from '../support/pinsvc.ts';

const program = findChromium();
const skip = program === undefined ? 'no Chromium in CHROMIUM_BIN or the path: NOT TESTED in a browser' : false;
if (skip !== false) console.error(`page of the APIs: ${skip}`);

describe('page of the APIs', { skip }, () => {
  let chromium: Chromium;
  let peers: PinningPeers;
  before(async () => {
    [chromium, peers] = await Promise.all([startChromium(program ?? ''), startPinningPeers({ count: 1 })]);
  });
  after(() => Promise.all([chromium?.stop(), peers?.end()]));

  it('REST API: GET /version is tried', async () => {
    const base = peers.peers[0]?.apiUrl ?? '';
    const page = await chromium.open(`${base}/api#/peers/getVersion`);
    const document = (await (await fetch(`${base}/openapi.json`)).json()) as Record<string, unknown>;
    const count = operationsOf(document).length;
    await page.until(`document.querySelectorAll('.opblock').length === ${count}`);
    assert.equal(await page.evaluate('document.title'), 'IPFS Cluster REST API');
    await page.until(`document.querySelector('#operations-peers-getVersion .execute') !== null`);
    await page.evaluate(`document.querySelector('#operations-peers-getVersion .execute').click()`);
    await page.until(`document.querySelector('.live-responses-table')?.innerText.includes('"version"') ?? false`);
    const others = page.requested().filter((url) => !url.startsWith(`${base}/`));
    assert.deepEqual(others, []);
  });

  it('pinning service: a pin is made', async () => {
    const base = peers.services[0] ?? '';
    const page = await chromium.open(`${base}/api#/pins/addPin`);
    // What it sends is an example, which is made last.
    await page.until(
      `document.querySelector('#operations-pins-addPin textarea')?.value.includes('PreciousData.pdf') ?? false`,
    );
    await page.evaluate(`document.querySelector('#operations-pins-addPin .execute').click()`);
    await page.until(`document.querySelector('.live-responses-table')?.innerText.includes('"requestid"') ?? false`);
    const { results } = (await (await fetch(`${base}/pins?name=PreciousData.pdf`)).json()) as { results: object[] };
    assert.equal(results.length, 1);
    assert.deepEqual(
      page.requested().filter((url) => !url.startsWith(`${base}/`)),
      [],
    );
  });
});
