import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cidNumber } from '../../test/support/pins.ts';
import type { CordonMode, Metric, PeerId } from '../model/index.ts';
import { cordonMetric } from './cordon.ts';
import { type MemberView, MemberWatch } from './member-watch.ts';
import { pingMetric } from './ping-value.ts';
import type { Consensus, PeerMonitor } from './ports.ts';

const [a, b, c] = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm',
] as const;

function watched(options: { readonly trusted?: readonly PeerId[]; readonly ours?: readonly PeerId[] } = {}) {
  const { trusted = [a, b, c], ours = [a, b, c] } = options;
  const clock = new FakeClock();
  const metrics = new Map<string, Metric>();
  const record = (metric: Metric): void => void metrics.set(`${metric.name} ${metric.peer}`, metric);
  const monitor: Pick<PeerMonitor, 'latest' | 'latestOf'> = {
    latestOf: (name, peer) => metrics.get(`${name} ${peer}`),
    latest: (name) => [...metrics.values()].filter((found) => found.name === name && found.expire > clock.wallNanos()),
  };
  let members: readonly PeerId[] = [a, b, c];
  const consensus: Pick<Consensus, 'peers' | 'isTrustedPeer'> = {
    peers: async () => members,
    isTrustedPeer: (peer) => trusted.includes(peer),
  };
  const watch = new MemberWatch(
    a,
    { repinGracePeriodMs: 60_000, pinOnlyOnTrustedPeers: true, pinOnlyOnUntrustedPeers: false },
    // Only these are asked.
    {
      consensus: consensus as Consensus,
      monitor: monitor as PeerMonitor,
      clock,
      answersInOrder: (peer) => ours.includes(peer),
    },
  );
  const until = (ms: number): bigint => clock.wallNanos() + BigInt(ms) * 1_000_000n;
  return {
    watch,
    clock,
    ping: (peer: PeerId, ms = 30_000) =>
      record(pingMetric(peer, { peername: '', ipfsId: '', ipfsAddresses: [] }, until(ms))),
    tell: (peer: PeerId, mode: CordonMode, ms = 30_000, valid = true) =>
      record({ ...cordonMetric(peer, mode, until(ms)), valid }),
    setMembers: (now: readonly PeerId[]) => {
      members = now;
    },
    /** Looks every 5 s. */
    async pass(ms: number): Promise<MemberView> {
      for (let passed = 0; passed < ms; passed += 5000) {
        await watch.look();
        await clock.advance(5000);
      }
      return await watch.look();
    },
  };
}

/** Who acts on any of many CIDs. */
function acting(closest: MemberView['actors']): PeerId[] {
  return [...new Set(Array.from({ length: 100 }, (_, n) => closest.to(cidNumber(n)) ?? ''))].sort();
}

const sorted = (...peers: PeerId[]): PeerId[] => peers.sort();

test('MemberWatch: right after a start all act, and later those that are heard of', async () => {
  const { watch, ping, pass } = watched();
  const first = await watch.look();
  assert.deepEqual(acting(first.actors), sorted(a, b, c));
  assert.equal(first.hasMajority, false);
  ping(b);
  const second = await watch.look();
  assert.equal(second.hasMajority, true);
  assert.deepEqual(acting(second.actors), sorted(a, b, c), 'who was never heard of is waited for');
  const third = await pass(70_000);
  assert.deepEqual(acting(third.actors), [a]);
  assert.deepEqual(third.gone, [c]);
});

test('MemberWatch: only trusted members act, and only those of this program heal', async () => {
  const { watch, ping } = watched({ trusted: [a, c], ours: [a, b] });
  ping(b);
  ping(c);
  const view = await watch.look();
  assert.deepEqual(acting(view.actors), sorted(a, c));
  assert.deepEqual(acting(view.healers), [a]);
  assert.equal(view.standings.get(b), 'leaves', 'it may not hold pins');
  assert.deepEqual([...view.notNew], [b]);
});

test('MemberWatch: what a member was told last counts while it is silent, and no longer when it is back and says nothing', async () => {
  const { watch, ping, tell, pass } = watched();
  ping(b);
  ping(c, 600_000);
  tell(b, 'draining');
  assert.deepEqual((await watch.look()).draining, [b]);
  const silent = await pass(120_000);
  assert.equal(silent.lives.get(b)?.life, 'gone');
  assert.deepEqual([silent.draining, silent.standings.get(b)], [[b], 'leaves']);
  ping(b);
  const back = await watch.look();
  assert.deepEqual([back.draining, back.standings.get(b)], [[], 'stays']);
});

test('MemberWatch: a metric that is not valid tells nothing of what a member was told', async () => {
  const { watch, ping, tell, pass } = watched();
  ping(b);
  tell(b, 'draining', 30_000, false);
  assert.equal((await watch.look()).cordons.get(b), 'none');
  assert.equal((await pass(60_000)).cordons.get(b), 'none', 'nor when it falls silent');
});

test('MemberWatch: the mark changes with what matters to pins, and not with what does not', async () => {
  const { watch, ping, tell, pass, setMembers } = watched();
  ping(b, 600_000);
  ping(c, 600_000);
  const { mark } = await watch.look();
  assert.equal((await pass(60_000)).mark, mark);
  ping(c, 1);
  assert.equal((await pass(30_000)).mark, mark, 'missing is nothing yet');
  const gone = (await pass(60_000)).mark;
  assert.notEqual(gone, mark);
  ping(c, 600_000);
  assert.equal((await watch.look()).mark, mark);
  tell(c, 'cordoned');
  assert.notEqual((await watch.look()).mark, mark);
  setMembers([a, b]);
  assert.notEqual((await watch.look()).mark, mark);
});

test('MemberWatch: a member that came back between two looks is not gone', async () => {
  const { watch, clock, ping, pass } = watched();
  for (const peer of [b, c]) ping(peer);
  await watch.look();
  ping(b, 3_600_000);
  assert.equal((await pass(80_000)).lives.get(c)?.life, 'missing');
  // Nobody looks for as long as writes wait for a leader.
  ping(c, 1000);
  await clock.advance(20_000);
  assert.equal((await pass(20_000)).lives.get(c)?.life, 'missing');
  assert.equal((await pass(130_000)).lives.get(c)?.life, 'gone');
});
