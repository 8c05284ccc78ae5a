import type { Command } from '../command.ts';
import { membersForm } from '../format/member.ts';

export const healthPeers: Command = {
  words: ['health', 'peers'],
  summary: 'Show which members are alive, missing, gone, cordoned or drained, and how many pins each has',
  details:
    'As the peer that is asked sees them. A member is missing when its ping has run out, and gone when that has lasted longer than ' +
    'repin_grace_period: then pins that have too few other holders move. Pins that are on all members do not count.',
  run: async ({ client, print, io }) => print(membersForm(io.now()), await client.memberStates()),
};
