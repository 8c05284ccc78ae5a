import {
  type Alert,
  alertsJson,
  type Metric,
  metricsJson,
  type Time,
  textsJson,
  timeToNanos,
} from '../../../model/index.ts';
import type { Form } from '../command.ts';
import { bytesText } from './bytes.ts';
import { relativeTime } from './relative-time.ts';

/** Names of metrics. */
export const namesForm: Form<readonly string[]> = {
  json: { print: textsJson.print, parse: (text) => textsJson.parse(text) ?? [] },
  text: (names) => names.map((name) => `${name}\n`).join(''),
};

/** Metrics of all peers. */
export function metricsForm(now: Time): Form<readonly Metric[]> {
  return {
    json: { print: metricsJson.print, parse: (text) => metricsJson.parse(text) ?? [] },
    text: (metrics) => metrics.map((metric) => metricText(metric, timeToNanos(now))).join(''),
  };
}

function metricText(metric: Metric, now: bigint): string {
  const isSize = metric.name === 'freespace' && metric.weight > 0n;
  const value = isSize ? bytesText(metric.weight) : metric.value;
  return `${metric.peer} | ${metric.name}: ${value} | Expires in: ${relativeTime(metric.expire, now)}\n`;
}

/** Alerts, the newest first. */
export function alertsForm(now: Time): Form<readonly Alert[]> {
  return {
    json: { print: alertsJson.print, parse: (text) => alertsJson.parse(text) ?? [] },
    text: (alerts) => alerts.map((alert) => alertText(alert, timeToNanos(now))).join(''),
  };
}

function alertText(alert: Alert, now: bigint): string {
  const triggered = alert.triggeredAt === null ? 'unknown' : relativeTime(timeToNanos(alert.triggeredAt), now);
  return `${alert.peer}: ${alert.name}. Expired at: ${relativeTime(alert.expire, now)}. Triggered at: ${triggered}\n`;
}
