/** What a member is told to hold. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MemberState, PeerId } from '../../../model/index.ts';
import { readPeerId } from '../arguments.ts';
import { type Command, type CommandContext, LocalFailure, type OptionValues } from '../command.ts';
import { memberForm } from '../format/member.ts';
import { whoIsAwaited } from './awaited.ts';

/** ETIME, as of other waits. */
const exitTimedOut = 62;
/** Looks without a change before it is asked why; from then on ever more seldom, for all members are asked. */
const looksBeforeWhy = 10;

export const peersCordon: Command = {
  words: ['peers', 'cordon'],
  refusesMore: true,
  summary: 'Give a member no new pins',
  usage: '<peer id>',
  argumentsMin: 1,
  completion: 'peers',
  details: 'It keeps what it has, also over restarts, until "peers uncordon".',
  run: async (context, [text = '']) => {
    const peer = readPeerId(text);
    await context.client.cordon(peer, 'cordoned');
    context.print(memberForm, await stateOf(context, peer));
  },
};

export const peersDrain: Command = {
  words: ['peers', 'drain'],
  refusesMore: true,
  summary: 'Give a member no new pins, and move what it has to others',
  usage: '<peer id>',
  argumentsMin: 1,
  completion: 'peers',
  details:
    'A pin leaves the member only when enough others hold it; while none does, --wait tells whom they wait for, and why. ' +
    'That goes on by itself, also over restarts, until "peers uncordon"; ' +
    '"health peers" tells how many pins are left. A drained member can be stopped, or removed with "peers rm". ' +
    'Pins that are on all members stay.',
  options: [
    { names: ['wait', 'w'], kind: 'boolean', summary: 'Return when it has no pins any more' },
    {
      names: ['wait-timeout', 'wt'],
      kind: 'duration',
      summary: 'How long to wait, such as 30s; for ever if not given',
    },
  ],
  run: async (context, [text = ''], options) => {
    const peer = readPeerId(text);
    await context.client.cordon(peer, 'draining');
    const state = options.flag('wait') ? await drained(context, peer, options) : await stateOf(context, peer);
    context.print(memberForm, state);
  },
};

export const peersUncordon: Command = {
  words: ['peers', 'uncordon'],
  refusesMore: true,
  summary: 'Let a member get pins again, after "peers cordon" or "peers drain"',
  usage: '<peer id>',
  argumentsMin: 1,
  completion: 'peers',
  run: async (context, [text = '']) => {
    const peer = readPeerId(text);
    await context.client.cordon(peer, 'none');
    context.print(memberForm, await stateOf(context, peer));
  },
};

/** Looks until the member is drained; tells on stderr whenever the number of its pins has changed, and why it does not. */
async function drained(context: CommandContext, peer: PeerId, options: OptionValues): Promise<MemberState> {
  const { client, io } = context;
  const limitMs = options.duration('wait-timeout');
  const signal = limitMs > 0 ? AbortSignal.timeout(limitMs) : undefined;
  let told: number | undefined;
  let unchanged = 0;
  for (;;) {
    const state = (await client.memberStates()).find((member) => member.peer === peer);
    if (state === undefined) throw new LocalFailure('waiting', `${peer} is no member any more`);
    if (state.state === 'drained') return state;
    const left = `${state.pins} ${state.pins === 1 ? 'pin' : 'pins'} still allocated`;
    unchanged = state.pins === told ? unchanged + 1 : 0;
    if (unchanged === 0) io.stderr(`${left}\n`);
    told = state.pins;
    const isOver = signal?.aborted === true;
    if (isOver || (unchanged >= looksBeforeWhy && Number.isInteger(Math.log2(unchanged / looksBeforeWhy)))) {
      await tellWhy(context, peer);
    }
    if (isOver) {
      throw new LocalFailure('waiting', `${left} to ${peer}; it goes on until "peers uncordon"`, exitTimedOut);
    }
    await delay(io.statusDelayMs);
  }
}

async function tellWhy({ client, io }: CommandContext, peer: PeerId): Promise<void> {
  const lines = await whoIsAwaited(client, peer);
  if (lines?.length === 0) {
    io.stderr(
      'no other holder is at work for it: more pins may be moved soon, or nobody else can take them; see "pin explain"\n',
    );
  }
  for (const line of lines ?? []) io.stderr(`${line}\n`);
}

async function stateOf({ client, io }: CommandContext, peer: PeerId): Promise<MemberState> {
  // What the member says of itself gets a moment to arrive.
  await delay(io.statusDelayMs);
  const state = (await client.memberStates()).find((member) => member.peer === peer);
  if (state === undefined) throw new LocalFailure('looking at the members', `${peer} is no member any more`);
  return state;
}
