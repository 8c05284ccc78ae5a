import type { Command } from './command.ts';

/** `commands`, which prints a line for each of `all()` and each group, depth first. */
export function listOf(program: string, all: () => readonly Command[]): Command {
  return {
    words: ['commands'],
    isHidden: true,
    summary: 'List all commands',
    run: async ({ io }) => {
      const lines = new Set<string>();
      for (const { words, isHidden } of all()) {
        if (isHidden === true && words[0] !== 'commands') continue;
        if (words.length > 1) lines.add(words[0]);
        lines.add(words.join(' '));
      }
      lines.add('help');
      for (const line of lines) io.stdout(`${program} ${line}\n`);
    },
  };
}
