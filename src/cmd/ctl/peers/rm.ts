import { errorMessage } from '../../../base/index.ts';
import { RequestError } from '../../../client/index.ts';
import { type GlobalPinInfo, type PeerId, parseStatusFilter } from '../../../model/index.ts';
import { readPeerId } from '../arguments.ts';
import { type Command, type CommandContext, LocalFailure } from '../command.ts';

/** As many are enough to say no; the list may have a million more. */
const aloneCountMax = 1000;

export const peersRm: Command = {
  words: ['peers', 'rm'],
  summary: 'Remove a member from the cluster',
  usage: '<peer id>',
  argumentsMin: 1,
  completion: 'peers',
  details:
    'Refused while the member has pinned something that no other has: an embedded IPFS node ends with its peer, and "peers drain" moves it to ' +
    'others first. Its pins get other holders where they would have too few, unless disable_repinning is set. The removed peer stops. A dead ' +
    'member, whose pins cannot be asked for, is removed. Clusters with CRDT consensus have no members to remove.',
  options: [
    { names: ['force'], kind: 'boolean', summary: 'Remove it even if content is lost with it; nothing is looked at' },
  ],
  run: async (context, [text = ''], options) => {
    const { client, warn } = context;
    const peer = readPeerId(text);
    if (!options.flag('force')) await checkAlone(context, peer);
    // The API answers alike whether there was such a member or not. The peer that is asked may lag, and the removal is what counts.
    const asked = await client.id().catch(() => undefined);
    await client.peerRemove(peer);
    if (asked?.clusterPeers?.includes(peer) === false) warn(`${asked.id} did not know ${peer} as a member`);
  },
};

/** Throws `LocalFailure` when the member has something alone, or when that cannot be found out. */
async function checkAlone(context: CommandContext, peer: PeerId): Promise<void> {
  let count: number;
  try {
    count = await countAlone(context, peer);
  } catch (error) {
    // No answer at all, or no permission, has a name of its own.
    if (!(error instanceof RequestError) || error.status < 500) throw error;
    const problem = `cannot tell what ${peer} has alone: ${errorMessage(error)}`;
    throw new LocalFailure('removing', `${problem}; --force removes it all the same`);
  }
  if (count === 0) return;
  const pins = count === 1 ? '1 pin is' : count < aloneCountMax ? `${count} pins are` : `${count} pins or more are`;
  const ways = '"peers drain --wait" moves them first, --force removes it all the same';
  throw new LocalFailure('removing', `${pins} pinned on ${peer} alone; ${ways}`);
}

async function countAlone({ client, statusLine }: CommandContext, peer: PeerId): Promise<number> {
  let seen = 0;
  let alone = 0;
  for await (const info of client.statusAll({ filter: parseStatusFilter('pinned') })) {
    seen += 1;
    if (hasAlone(info, peer)) alone += 1;
    if (alone === aloneCountMax) break;
    statusLine.show(`looking at what it has alone: ${seen} pins seen, ${alone} of them`);
  }
  return alone;
}

function hasAlone({ peerMap }: GlobalPinInfo, peer: PeerId): boolean {
  if (peerMap[peer]?.status !== 'pinned') return false;
  return Object.entries(peerMap).every(([id, { status }]) => id === peer || status !== 'pinned');
}
