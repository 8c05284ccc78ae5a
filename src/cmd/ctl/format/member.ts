import { printable } from '../../../base/index.ts';
import { type MemberState, memberStateJson, memberStatesJson, type Time, timeToNanos } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import type { Paint, Tone } from '../paint.ts';
import { relativeTime } from './relative-time.ts';

const tones: Readonly<Partial<Record<MemberState['state'], Tone>>> = { alive: 'good', missing: 'busy', gone: 'bad' };

/** One member: what it is, and what it has. */
export const memberForm: Form<MemberState> = {
  json: memberStateJson,
  text: (member, paint) => `${memberText(member, paint)}\n`,
};

/** All members, with since when each is alive, missing or gone, where that is what it is shown as. */
export function membersForm(now: Time): Form<readonly MemberState[]> {
  return {
    json: { print: memberStatesJson.print, parse: (text) => memberStatesJson.parse(text) ?? [] },
    text: (members, paint) =>
      members
        .map((member) => {
          const since =
            member.since === null ? '' : ` | Since: ${relativeTime(timeToNanos(member.since), timeToNanos(now))}`;
          return `${memberText(member, paint)}${since}\n`;
        })
        .join(''),
  };
}

function memberText({ peer, peername, state, cordon, pins }: MemberState, paint: Paint): string {
  // Of one that is missing or gone, what it was told last is worth a word.
  const told = cordon === 'none' || ['cordoned', 'draining', 'drained'].includes(state) ? '' : ` (${cordon})`;
  return `${peer} | ${printable(peername)} | ${paint(tones[state] ?? 'busy', state.toUpperCase())}${told} | Pins: ${pins}`;
}
