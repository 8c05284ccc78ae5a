/** Errors of the embedding API's own; the others come through as they are. */
import { OperatingError } from '../base/index.ts';
import { shown } from '../plain/index.ts';

/** In place of a value that is not shown: words on it. */
export class Hidden {
  readonly words: string;
  constructor(words: string) {
    this.words = words;
  }
}

/** Code `embed/bad-option`: names the option, what was found and what was expected. */
export function badOption(where: string, found: unknown, expected: string): OperatingError {
  return new OperatingError(
    'embed/bad-option',
    `Cannot use option ${where}: found ${found instanceof Hidden ? found.words : shown(found)}, expected ${expected}`,
  );
}

/** The same, for what several options have together; `text` names them as the configuration file does. */
export function badOptions(text: string, cause: unknown): OperatingError {
  return new OperatingError('embed/bad-option', `Cannot use the options: ${text}`, { cause });
}

/** Code `embed/bad-argument`: the same of an argument of a call. */
export function badArgument(where: string, found: unknown, expected: string, cause?: unknown): OperatingError {
  const text = `Cannot use ${where}: found ${shown(found)}, expected ${expected}`;
  return new OperatingError('embed/bad-argument', text, { cause });
}

/** Code `embed/not-reached`. */
export function notReached(text: string): OperatingError {
  return new OperatingError('embed/not-reached', text);
}
