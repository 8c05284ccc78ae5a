import { printable } from '../../base/index.ts';
import type { ServerEvent } from '../../client/index.ts';
import { type Command, type CommandContext, type Form, LocalFailure } from './command.ts';
import type { Tone } from './paint.ts';

/** What can be asked for; of `pin`, `unpin` comes as well. */
const eventTypes = ['pin', 'status', 'peer', 'alert'] as const;

/** An event: its data is a JSON document of the peer, handed on as it is. */
const eventForm: Form<ServerEvent> = {
  json: {
    print: ({ id, type, data }) => `{"id":${JSON.stringify(id)},"type":${JSON.stringify(type)},"data":${dataOf(data)}}`,
    parse: () => ({ id: '', type: '', data: '' }),
  },
  text: ({ type, data }, paint) => `${paint(toneOf(type), type.padEnd(typeWidth))} ${printable(data)}\n`,
};

const typeWidth = 6;

export const events: Command = {
  words: ['events'],
  refusesMore: true,
  summary: 'Show what happens, for as long as it runs',
  details:
    'Pins and unpins, changes of status on the peer that is asked, members that come and go, alerts. Lost connections are made again, and ' +
    'what was missed is made up for; "reset" means that it could not be, and that lists have to be read anew. With --enc ndjson each event is ' +
    'a line of JSON. Go peers do not have it.',
  options: [
    {
      names: ['types'],
      kind: 'text',
      summary: `Only these, with commas between: ${eventTypes.join(', ')}`,
      completion: eventTypes,
      isCommaList: true,
    },
    { names: ['after'], kind: 'text', summary: 'Begin behind the event with this id' },
    { names: ['count'], kind: 'integer', summary: 'End after so many; 0 is never', fallback: '0' },
  ],
  run: async (context, _args, options) => {
    const after = options.text('after');
    const count = options.integer('count');
    if (count < 0) throw new LocalFailure('parsing count', `found ${count}, expected 0 or more`);
    const types = readTypes(options.text('types'));
    const asked = { ...(types === undefined ? {} : { types }), ...(after === '' ? {} : { lastEventId: after }) };
    await printEvents(context, context.client.events(asked), count);
  },
};

async function printEvents(
  { print }: CommandContext,
  happening: AsyncIterable<ServerEvent>,
  countMax: number,
): Promise<void> {
  let count = 0;
  for await (const event of happening) {
    print(eventForm, event);
    count += 1;
    if (count === countMax) return;
  }
}

/** Throws `LocalFailure`. */
function readTypes(text: string): readonly string[] | undefined {
  if (text === '') return undefined;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !eventTypes.some((type) => type === name));
  if (unknown === undefined) return names;
  const expected = `expected names of: ${eventTypes.join(', ')}`;
  throw new LocalFailure('parsing types flag', `found ${JSON.stringify(unknown)}, ${expected}`);
}

/** A JSON document, or what is none as a text. */
function dataOf(data: string): string {
  try {
    JSON.parse(data);
    return data;
  } catch {
    return JSON.stringify(data);
  }
}

function toneOf(type: string): Tone {
  if (type === 'alert' || type === 'reset') return 'bad';
  return type === 'status' ? 'busy' : 'title';
}
