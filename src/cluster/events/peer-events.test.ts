import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { silentLogger } from '../../base/index.ts';
import type { Life } from '../../core/heal/index.ts';
import { type Alert, eventTopics, type PeerId, pinJson } from '../../model/index.ts';
import type { MemberView } from '../member-watch.ts';
import { pingMetric } from '../ping-value.ts';
import type { PeerMonitor } from '../ports.ts';
import { PeerEvents } from './peer-events.ts';

const a = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const b = '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt';

interface Scene {
  readonly clock: FakeClock;
  readonly events: PeerEvents;
  readonly lives: Map<PeerId, Life>;
  readonly looks: { count: number };
  readonly told: (readonly [type: string, data: unknown])[];
  alert(alert: Alert): void;
  /** From now on what is told is in `told`. */
  read(): void;
}

function scene(): Scene {
  const clock = new FakeClock();
  const lives = new Map<PeerId, Life>([[a, 'alive']]);
  const looks = { count: 0 };
  const told: (readonly [string, unknown])[] = [];
  let onAlert: (alert: Alert) => void = () => assert.fail('nobody listens');
  const monitor: Pick<PeerMonitor, 'latestOf' | 'onAlert'> = {
    latestOf: (_, peer) => pingMetric(peer, { peername: 'named', ipfsId: '', ipfsAddresses: [] }, 0n),
    onAlert: (listener) => {
      onAlert = listener;
    },
  };
  const look = async (): Promise<MemberView> => {
    looks.count += 1;
    const views = [...lives].map(([peer, life]) => [peer, { life, sinceMs: 0, isKnown: true }] as const);
    // Only this is looked at.
    return { lives: new Map(views) } as Partial<MemberView> as MemberView;
  };
  const events = new PeerEvents(
    { pingIntervalMs: 15_000 },
    // Only these are asked for.
    { watch: { look }, monitor: monitor as PeerMonitor, clock, logger: silentLogger },
  );
  events.start();
  const read = async (): Promise<void> => {
    for await (const page of events.read({ topics: new Set(eventTopics), onCut: () => assert.fail('cut off') })) {
      told.push(...page.events.map(({ type, data }) => [type, JSON.parse(data)] as const));
    }
    told.push(['end', '']);
  };
  return { clock, events, lives, looks, told, alert: (alert) => onAlert(alert), read: () => void read() };
}

test('PeerEvents looks at nobody and says nothing until somebody reads', async () => {
  const { clock, events, looks, told, read, alert } = scene();
  events.pinset.onPin(pinOf(cidNumber(1)));
  events.pinset.onReplaced();
  assert.equal(events.statuses.isWanted(), false);
  await clock.advance(60_000);
  assert.equal(looks.count, 0);
  alert({ ...pingMetric(a, { peername: '', ipfsId: '', ipfsAddresses: [] }, 0n), triggeredAt: null });
  read();
  await settle();
  assert.deepEqual(told, []);
  assert.equal(looks.count, 1);
  await events.stop();
});

test('PeerEvents tells of pins as they are read of the pinset, of unpins, alerts and a state that was replaced', async () => {
  const { events, told, read, alert } = scene();
  read();
  await settle();
  const cid = cidNumber(1);
  const pin = pinOf(cid, { name: '<one>', origins: null, timestamp: { seconds: 1_700_000_000, nanos: 5 } });
  events.pinset.onPin(pin);
  events.pinset.onUnpin(pin);
  alert({ ...pingMetric(a, { peername: '', ipfsId: '', ipfsAddresses: [] }, 0n), triggeredAt: null });
  events.pinset.onReplaced();
  await settle();
  const stored = { ...pin, origins: [], timestamp: { seconds: 1_700_000_000, nanos: 0 } };
  assert.deepEqual(told.slice(0, 2), [
    ['pin', { cid: cid.toString(), pin: JSON.parse(pinJson.print(stored)) }],
    ['unpin', { cid: cid.toString() }],
  ]);
  assert.equal(told[2]?.[0], 'alert');
  assert.deepEqual(told[3], ['reset', { reason: 'replaced' }]);
  await events.stop();
  await settle();
  assert.deepEqual(told[4], ['end', '']);
});

test('PeerEvents tells who has joined, is missing, gone, back, and removed, and stops looking when nobody reads', async () => {
  const { clock, events, lives, looks, told, read } = scene();
  read();
  await settle();
  const peers = (): unknown[] => told.splice(0).map(([, data]) => data);
  const pass = async (life?: Life): Promise<unknown[]> => {
    if (life !== undefined) lives.set(b, life);
    await clock.advance(5000);
    return peers();
  };
  const event = (state: string): unknown => ({ peer: b, peername: 'named', state });
  assert.deepEqual(await pass(), []);
  // One that was never heard of is not missing yet.
  assert.deepEqual(await pass('missing'), [event('joined')]);
  assert.deepEqual(await pass('alive'), [event('alive')]);
  assert.deepEqual(await pass('alive'), []);
  assert.deepEqual(await pass('missing'), [event('missing')]);
  assert.deepEqual(await pass('gone'), [event('gone')]);
  lives.delete(b);
  assert.deepEqual(await pass(), [event('removed')]);
  assert.deepEqual(await pass('alive'), [event('joined'), event('alive')]);
  const before = looks.count;
  await events.stop();
  await clock.advance(60_000);
  assert.equal(looks.count, before);
  assert.equal(clock.pendingCount, 0);
});
