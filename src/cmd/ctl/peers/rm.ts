import { errorMessage } from '../../../base/index.ts';
import { type PeerId, parsePeerId } from '../../../model/index.ts';
import { type Command, LocalFailure } from '../command.ts';

export const peersRm: Command = {
  words: ['peers', 'rm'],
  summary: 'Remove a member from the cluster',
  usage: '<peer id>',
  argumentsMin: 1,
  details: 'The removed peer stops. Clusters with CRDT consensus have no members to remove.',
  run: async ({ client, warn }, [text = '']) => {
    const peer = readPeerId(text);
    // The API answers alike whether there was such a member or not. The peer that is asked may lag, and the removal is what counts.
    const asked = await client.id().catch(() => undefined);
    await client.peerRemove(peer);
    if (asked?.clusterPeers?.includes(peer) === false) warn(`${asked.id} did not know ${peer} as a member`);
  },
};

function readPeerId(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    throw new LocalFailure('parsing peer ID', errorMessage(error));
  }
}
