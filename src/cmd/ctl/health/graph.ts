import { pathFailure } from '../arguments.ts';
import type { Command } from '../command.ts';
import { graphDot } from '../format/graph.ts';

export const healthGraph: Command = {
  words: ['health', 'graph'],
  summary: 'Show which peers and IPFS nodes are connected',
  details: 'Prints a graph for the dot program of Graphviz.',
  options: [
    { names: ['file', 'f'], kind: 'text', summary: 'Write the graph to a file', completion: 'files' },
    { names: ['all-ipfs-peers'], kind: 'boolean', summary: 'Include peers of the IPFS nodes outside of the cluster' },
  ],
  run: async ({ client, io }, _args, options) => {
    const graph = await client.connectGraph();
    const dot = graphDot(graph, { hasAllIpfsPeers: options.flag('all-ipfs-peers') });
    const file = options.text('file');
    if (file === '') {
      io.stdout(dot);
      return;
    }
    try {
      await io.writeFile(file, dot);
    } catch (error) {
      throw pathFailure('open', file, error);
    }
  },
};
