import type { Command } from '../command.ts';
import { metricsForm, namesForm } from '../format/metric.ts';

export const healthMetrics: Command = {
  words: ['health', 'metrics'],
  summary: 'Show the latest metrics of a name, or all names',
  usage: '[name]',
  run: async ({ client, io, print }, [name]) => {
    if (name === undefined) print(namesForm, await client.metricNames());
    else print(metricsForm(io.now()), await client.metrics(name));
  },
};
