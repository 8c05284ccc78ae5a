import { type Command, type Form, LocalFailure } from '../command.ts';

/** Members that have not taken it, with the reason. */
type Missed = Readonly<Record<string, string>>;

const missedForm: Form<Missed> = {
  json: { print: (missed) => JSON.stringify({ missed }), parse: () => ({}) },
  text: (missed) =>
    Object.keys(missed)
      .sort()
      .map((peer) => `${peer} | not told: ${missed[peer]}\n`)
      .join(''),
};

export const tokenRevoke: Command = {
  words: ['token', 'revoke'],
  refusesMore: true,
  summary: 'Make a token count no more, on all members',
  usage: '<token>',
  argumentsMin: 1,
  details:
    'Prints the members that could not be told; there the token still counts, until the command has been repeated. Go peers cannot revoke.',
  run: async ({ client, print }, [token = '']) => {
    const missed = await client.revokeToken(token);
    print(missedForm, missed);
    const count = Object.keys(missed).length;
    if (count > 0) {
      const members = count === 1 ? '1 member has' : `${count} members have`;
      throw new LocalFailure('revoking', `${members} not been told; run it again when they can be reached`);
    }
  },
};
