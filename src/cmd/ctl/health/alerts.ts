import type { Command } from '../command.ts';
import { alertsForm } from '../format/metric.ts';

export const healthAlerts: Command = {
  words: ['health', 'alerts'],
  summary: 'Show which metrics have expired',
  run: async ({ client, io, print }) => print(alertsForm(io.now()), await client.alerts()),
};
