/**
 * What a group of tests shows: failures with their place and cause, skips with their reason, and at the end one line with
 * the counts that `tools/test.ts` adds up.
 */
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

export const countsMark = '#counts ';

/** A cause can be the whole output of a program. */
const causeLinesMax = 60;

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The default export is what `node --test --test-reporter` asks for. */
// biome-ignore lint/style/noDefaultExport: the form that Node wants.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  let counts: Counts | undefined;
  for await (const event of source) {
    if (event.type === 'test:fail') yield failure(event.data);
    else if (event.type === 'test:pass' && event.data.skip !== undefined && event.data.skip !== false) {
      yield `skipped: ${event.data.name}${typeof event.data.skip === 'string' ? ` (${event.data.skip})` : ''}\n`;
    } else if (event.type === 'test:stderr' || event.type === 'test:stdout') yield event.data.message;
    else if (event.type === 'test:summary' && event.data.file === undefined) {
      const { passed, failed, cancelled, skipped } = event.data.counts;
      counts = { passed, failed: failed + cancelled, skipped };
    }
  }
  if (counts !== undefined) yield `${countsMark}${JSON.stringify(counts)}\n`;
}

function failure(data: Extract<TestEvent, { type: 'test:fail' }>['data']): string {
  const { error } = data.details;
  // A file or a parent fails only because something in it did, which has been shown.
  if (error.failureType === 'subtestsFailed') return '';
  const cause =
    error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : inspect(error.cause ?? error);
  const lines = cause.split('\n');
  const more = lines.length > causeLinesMax ? [`… ${lines.length - causeLinesMax} more lines`] : [];
  const shown = [...lines.slice(0, causeLinesMax), ...more].map((line) => `    ${line}\n`).join('');
  return `FAILED: ${data.name} (${data.file ?? ''}:${data.line ?? 0})\n${shown}`;
}
