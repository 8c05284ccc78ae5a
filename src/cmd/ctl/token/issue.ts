import { errorMessage } from '../../../base/index.ts';
import { parseGoDuration } from '../../../model/index.ts';
import { type Command, type Form, LocalFailure } from '../command.ts';

const scopes = ['read'] as const;

const tokenForm: Form<string> = {
  json: { print: (token) => JSON.stringify({ token }), parse: (text) => text },
  text: (token) => `${token}\n`,
};

export const tokenIssue: Command = {
  words: ['token', 'issue'],
  refusesMore: true,
  summary: 'Get a token that stands for the credentials it is asked with',
  details:
    'Needs --basic-auth. The token is used with --token, or as "Authorization: Bearer <token>". Without flags it may do all that its user may, ' +
    'for as long as the user has the password. Go peers issue such tokens only, whatever the flags.',
  options: [
    { names: ['expires-in'], kind: 'text', summary: 'For how long it counts, such as 24h' },
    { names: ['scope'], kind: 'text', summary: 'read: it changes nothing', completion: scopes },
  ],
  run: async ({ client, print }, _args, options) => {
    const expiresIn = options.text('expires-in');
    const scope = options.text('scope');
    if (expiresIn !== '') checkDuration(expiresIn);
    const known = scopes.find((name) => name === scope);
    if (scope !== '' && known === undefined) {
      throw new LocalFailure('parsing scope', `found ${JSON.stringify(scope)}, expected read, or no scope`);
    }
    const token = await client.token({
      ...(expiresIn === '' ? {} : { expiresIn }),
      ...(known === undefined ? {} : { scope: known }),
    });
    print(tokenForm, token);
  },
};

function checkDuration(text: string): void {
  try {
    parseGoDuration(text);
  } catch (error) {
    throw new LocalFailure('parsing expires-in', errorMessage(error));
  }
}
