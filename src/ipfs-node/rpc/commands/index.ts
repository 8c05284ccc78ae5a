/** All commands of the RPC. */
import type { Command } from '../command.ts';
import { blockCommands } from './block.ts';
import { dagCommands } from './dag.ts';
import { fileCommands } from './files.ts';
import { nodeCommands } from './node.ts';
import { pinCommands } from './pin.ts';
import { refsCommands } from './refs.ts';

export const commands: readonly Command[] = [
  ...nodeCommands,
  ...pinCommands,
  ...blockCommands,
  ...dagCommands,
  ...fileCommands,
  ...refsCommands,
];
