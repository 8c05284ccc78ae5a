import { readPeerId } from '../arguments.ts';
import type { Command } from '../command.ts';

export const peersRm: Command = {
  words: ['peers', 'rm'],
  summary: 'Remove a member from the cluster',
  usage: '<peer id>',
  argumentsMin: 1,
  completion: 'peers',
  details:
    'Its pins get other holders first where they would have too few, unless disable_repinning is set; content that it alone has is ' +
    'safe only after "peers drain". The removed peer stops. Clusters with CRDT consensus have no members to remove.',
  run: async ({ client, warn }, [text = '']) => {
    const peer = readPeerId(text);
    // The API answers alike whether there was such a member or not. The peer that is asked may lag, and the removal is what counts.
    const asked = await client.id().catch(() => undefined);
    await client.peerRemove(peer);
    if (asked?.clusterPeers?.includes(peer) === false) warn(`${asked.id} did not know ${peer} as a member`);
  },
};
