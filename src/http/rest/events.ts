/** Events as they happen. No such thing in the reference. */
import { errorCode, errorMessage } from '../../base/index.ts';
import type { EventPage, EventsOptions } from '../../cluster/ports.ts';
import { type EventTopic, eventTopics } from '../../model/index.ts';
import { sendEvents } from '../kit/index.ts';
import type { Context } from './context.ts';
import { RequestError } from './reply.ts';

export async function getEvents(context: Context): Promise<unknown> {
  const { request, response, query, headers, signal, cluster } = context;
  const given = request.headers['last-event-id'];
  const after = typeof given === 'string' && given !== '' ? given : query.get('last-event-id');
  const options: EventsOptions = {
    topics: readTopics(query.get('types')),
    ...(after === '' ? {} : { after }),
    onCut: () => response.destroy(),
    signal,
  };
  await sendEvents(response, headers, refusing(cluster.events(options)));
  return undefined;
}

async function* refusing(pages: AsyncIterable<EventPage>): AsyncGenerator<EventPage, void> {
  try {
    yield* pages;
  } catch (error) {
    const isFull = ['cluster/too-many-readers', 'cluster/stopped'].includes(errorCode(error));
    throw isFull ? new RequestError(503, errorMessage(error)) : error;
  }
}

function readTopics(text: string): ReadonlySet<EventTopic> {
  if (text === '') return new Set(eventTopics);
  const topics = text.split(',').map((name) => {
    const topic = eventTopics.find((known) => known === name);
    if (topic !== undefined) return topic;
    const expected = `some of ${eventTopics.join(', ')}, with commas between`;
    throw new RequestError(400, `parameter types: found ${JSON.stringify(name)}, expected ${expected}`);
  });
  return new Set(topics);
}
