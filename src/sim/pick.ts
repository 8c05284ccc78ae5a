import type { Random } from '../base/index.ts';

/** One of the choices, each as likely; name one twice to make it twice as likely. */
export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[random.integer(choices.length)];
  if (choice === undefined) throw new RangeError('Cannot pick from an empty list');
  return choice;
}
