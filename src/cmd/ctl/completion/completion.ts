import { type Command, LocalFailure } from '../command.ts';
import { scripts, shells } from './scripts.ts';

export const completion: Command = {
  words: ['completion'],
  refusesMore: true,
  summary: 'Print what a shell loads to complete commands, flags, statuses and peers',
  usage: '<bash|zsh|fish>',
  argumentsMin: 1,
  completion: shells,
  details:
    'For the shell at hand: "source <(ipfs-cluster-ctl completion bash)", the same for zsh behind compinit, and ' +
    '"ipfs-cluster-ctl completion fish | source"; in the file that the shell reads at its start, for all to come. Peers and metrics are ' +
    'asked of the API, which has a second to answer.',
  run: async ({ io }, [name = '']) => {
    const shell = shells.find((candidate) => candidate === name);
    if (shell === undefined) {
      throw new LocalFailure('', `found ${JSON.stringify(name)}, expected one of: ${shells.join(', ')}`);
    }
    io.stdout(scripts[shell]);
  },
};
