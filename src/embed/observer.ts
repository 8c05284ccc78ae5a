/** Makes the events of a cluster of what its peer does. */
import type { PeerObserver } from '../cmd/service/assemble.ts';
import type { Alert, PeerId, Pin } from '../model/index.ts';
import { alertOf, entryOf } from '../plain/index.ts';
import type { Events } from './events.ts';
import type { ClusterEvents } from './types.ts';

/** `pins` counts the pinset. */
export function observerOf(events: Events<ClusterEvents>, pins: () => number): PeerObserver {
  let members: readonly PeerId[] | undefined;
  let leader: PeerId | undefined;
  return {
    onPin: (pin: Pin) => events.emit('pin', () => entryOf(pin)),
    onUnpin: ({ cid }: Pin) => events.emit('unpin', () => ({ cid: cid.toString() })),
    onReplaced: () => events.emit('replaced', () => ({ pins: pins() })),
    onMembership: (membersNow, leaderNow) => {
      const hasChanged = members?.join() !== membersNow.join();
      if (hasChanged) events.emit('peers', () => ({ peers: membersNow }));
      if (leaderNow !== leader) events.emit('leader', () => ({ leader: leaderNow }));
      members = membersNow;
      leader = leaderNow;
    },
    onAlert: (alert: Alert) => events.emit('alert', () => alertOf(alert)),
  };
}
