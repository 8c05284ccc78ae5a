import { errorMessage } from '../../../base/index.ts';
import { type PeerId, parsePeerId } from '../../../model/index.ts';
import { type Command, LocalFailure } from '../command.ts';

export const peersRm: Command = {
  words: ['peers', 'rm'],
  summary: 'Remove a member from the cluster',
  usage: '<peer id>',
  details: 'The removed peer stops. Clusters with CRDT consensus have no members to remove.',
  run: async ({ client }, [text = '']) => {
    await client.peerRemove(readPeerId(text));
  },
};

function readPeerId(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (error) {
    throw new LocalFailure('parsing peer ID', errorMessage(error));
  }
}
