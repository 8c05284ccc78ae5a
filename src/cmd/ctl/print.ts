/**
 * Results and failures on their streams.
 */
import type { RequestError } from '../../client/index.ts';
import { apiErrorJson } from '../../model/index.ts';
import type { CtlIo, Encoding, Form } from './command.ts';
import { type Paint, paintFor } from './paint.ts';

export function printerOf(io: CtlIo, encoding: Encoding): <T>(form: Form<T>, value: T) => void {
  const paint = paintFor(io.isTerminal.stdout, io.environment);
  return (form, value) => {
    const text = encoding === 'text' ? form.text(value, paint) : jsonText(form.json.print(value), encoding);
    if (text !== '') io.stdout(text);
  };
}

/** Compact JSON as the encoding lays it out, with the end of its last line. */
function jsonText(compact: string, encoding: Encoding): string {
  return encoding === 'ndjson' ? `${compact}\n` : `${indentJson(compact)}\n`;
}

/** What the API refused goes to stdout, as a result does. @returns the exit code. */
export function printRequestError(io: CtlIo, encoding: Encoding, error: RequestError): number {
  const { status: code, message } = error;
  const paint = paintFor(io.isTerminal.stdout, io.environment);
  if (encoding !== 'text') io.stdout(jsonText(apiErrorJson.print({ code, message }), encoding));
  else io.stdout(errorText(code, message, paint));
  return code === 0 ? 1 : 2;
}

function errorText(code: number, message: string, paint: Paint): string {
  return `${paint('bad', 'An error occurred')}:\n  Code: ${code}\n  Message: ${message}\n`;
}

/**
 * Compact JSON with four blanks per level, as Go's `json.MarshalIndent` makes it. Works on the text, so that large
 * numbers and escapes stay as they are.
 */
export function indentJson(compact: string): string {
  let text = '';
  let depth = 0;
  for (let i = 0; i < compact.length; i++) {
    const character = compact[i] ?? '';
    if (character === '"') {
      const end = endOfString(compact, i);
      text += compact.slice(i, end);
      i = end - 1;
    } else if ((character === '{' || character === '[') && /[}\]]/.test(compact[i + 1] ?? '')) {
      text += character + (compact[++i] ?? '');
    } else if (character === '{' || character === '[') {
      text += character + lineStart(++depth);
    } else if (character === '}' || character === ']') {
      text += lineStart(--depth) + character;
    } else if (character === ',') {
      text += character + lineStart(depth);
    } else {
      text += character === ':' ? ': ' : character;
    }
  }
  return text;
}

function lineStart(depth: number): string {
  return `\n${'    '.repeat(depth)}`;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
