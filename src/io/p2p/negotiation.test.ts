import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreementOf, isRefusal, multistreamHeader, readProposal } from './negotiation.ts';

test('readProposal waits for whole lines and finds what follows them', () => {
  const protocol = `/p/${'x'.repeat(200)}`;
  const wire = Buffer.concat([agreementOf(protocol), Buffer.from('payload')]);
  const end = wire.length - 'payload'.length;
  for (let length = 0; length < end; length++) {
    const { kind } = readProposal(wire.subarray(0, length));
    assert.equal(kind, length === multistreamHeader.length ? 'header-only' : 'incomplete', `${length} bytes`);
  }
  assert.deepEqual(readProposal(wire), { kind: 'protocol', protocol, end });
});

test('readProposal leaves alone what is no proposal', () => {
  for (const bytes of [Buffer.from('GET / HTTP/1.1'), Buffer.concat([multistreamHeader, Buffer.of(0xff, 0xff, 1)])]) {
    assert.deepEqual(readProposal(bytes), { kind: 'other' });
  }
});

test('isRefusal knows a listener that does not speak the protocol', () => {
  assert.equal(isRefusal(Buffer.concat([multistreamHeader, Buffer.from('\x03na\n')])), true);
  assert.equal(isRefusal(agreementOf('/x')), false);
});
