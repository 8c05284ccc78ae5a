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
    // The API answers alike whether there was such a member or not.
    const { clusterPeers } = await client.id();
    await client.peerRemove(peer);
    if (clusterPeers !== null && !clusterPeers.includes(peer)) warn(`${peer} was no member: nothing was removed`);
  },
};

function readPeerId(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    throw new LocalFailure('parsing peer ID', errorMessage(error));
  }
}
