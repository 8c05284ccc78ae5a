/** Server-sent events. Source: HTML Standard, section 9.2 "Server-sent events". */
import type { ServerResponse } from 'node:http';
import { drained } from './stream.ts';

/** Some events, and where a reader is who has them. */
export interface EventStreamPage {
  readonly id: string;
  /** None: only to say that the stream lives, and where it is. */
  readonly events: readonly { readonly id: string; readonly type: string; readonly data: string }[];
}

/** Milliseconds until a reader that has lost the stream is to come back. */
const retryMs = 1000;

/**
 * Writes pages as they come, and takes no page while the client does not read. Resolves when there are no more, or the client is gone.
 * Rejects only before anything is written, with what the first page does.
 */
export async function sendEvents(
  response: ServerResponse,
  headers: Readonly<Record<string, string | string[]>>,
  pages: AsyncIterable<EventStreamPage>,
): Promise<void> {
  for await (const page of pages) {
    if (response.destroyed) return;
    let text = page.events.length === 0 ? quietText(page.id) : page.events.map(eventText).join('');
    if (!response.headersSent) {
      response.writeHead(200, {
        ...headers,
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
        // A proxy that gathers answers would hold back what has just happened.
        'X-Accel-Buffering': 'no',
      });
      text = `retry: ${retryMs}\n${text}`;
    }
    if (!response.write(text) && !(await drained(response))) return;
  }
  response.end();
}

/** A comment, and an id without an event: whoever comes back begins here. */
function quietText(id: string): string {
  return `:\nid: ${id}\n\n`;
}

function eventText({ id, type, data }: EventStreamPage['events'][number]): string {
  return `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`;
}
