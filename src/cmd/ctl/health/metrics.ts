import type { Command } from '../command.ts';
import { metricsForm, namesForm } from '../format/metric.ts';

export const healthMetrics: Command = {
  words: ['health', 'metrics'],
  summary: 'Show the latest metrics of a name, or all names',
  usage: '[name]',
  argumentsMax: 1,
  completion: 'metrics',
  run: async ({ client, io, print, warn }, [name]) => {
    if (name === undefined) {
      print(namesForm, await client.metricNames());
      return;
    }
    const metrics = await client.metrics(name);
    print(metricsForm(io.now()), metrics);
    if (metrics.length === 0)
      warn(`no member has a metric named ${JSON.stringify(name)}; without a name, all are listed`);
  },
};
