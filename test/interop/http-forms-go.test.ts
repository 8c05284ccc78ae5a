/**
 * How a Go peer and ours take requests as they go over the wire: the same answers, but for where `http-forms` says why not. Needs
 * `GO_CLUSTER_BIN`; it stays on loopback.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { answersTo, httpForms } from '../support/http-forms.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { createMembers, goPrograms, type Member } from '../support/members.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: requests are NOT compared with Go' : false;
if (skip !== false) console.warn(skip);

describe('requests to a Go peer', { skip }, () => {
  const ipfs = new IpfsStandIn();
  let folder: string;
  let peer: Member | undefined;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'http-forms-'));
    await ipfs.start();
    [peer] = await createMembers(folder, [{ kind: 'go', ipfsAddress: ipfs.multiaddress }]);
    await peer?.start();
  });
  after(async () => {
    await peer?.stop();
    await ipfs.stop();
    await rm(folder, { recursive: true, force: true });
  });

  for (const form of httpForms) {
    const { name, ours, go } = form;
    test(go === undefined ? name : `${name}, but: ${go.why}`, async () => {
      assert.equal(await answersTo(form, peer?.apiUrl ?? ''), go?.answers ?? ours);
    });
  }
});
