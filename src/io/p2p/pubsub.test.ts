import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { peerIdFromString } from '@libp2p/peer-id';
import { messageIdOf } from './pubsub.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly decoded: { readonly from: string; readonly seqno_hex: string; readonly signature_hex: string };
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/wire/pubsub-metrics.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };

function vector(name: string): Vector {
  const found = vectors.find((v) => v.name === name);
  assert.ok(found, name);
  return found;
}

const signed = vector('bytes that are signed');
const from = peerIdFromString(signed.decoded.from);

test('messageIdOf makes the id of the Go peer', () => {
  assert.ok(from.publicKey !== undefined);
  const id = messageIdOf({
    type: 'signed',
    from,
    topic: 'monitor.metrics',
    data: new Uint8Array(0),
    sequenceNumber: BigInt(`0x${signed.decoded.seqno_hex}`),
    signature: new Uint8Array(0),
    key: from.publicKey,
  });
  assert.equal(Buffer.from(id).toString('hex'), vector('message id').hex);
});

test('messageIdOf refuses an unsigned message', () => {
  const message = { type: 'unsigned', topic: 't', data: new Uint8Array(0) } as const;
  assert.throws(() => messageIdOf(message), { code: 'p2p/publish' });
});

test('the key inside a peer id verifies the recorded signature', async () => {
  const signature = Buffer.from(vector('signed Message').decoded.signature_hex, 'hex');
  assert.equal(await from.publicKey?.verify(Buffer.from(signed.hex, 'hex'), signature), true);
});
