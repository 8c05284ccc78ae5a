import { printable } from '../../../base/index.ts';
import { formatTime, type Pin, pinJson, type Time } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import type { Paint } from '../paint.ts';

/** A pin of the pinset, on one line. */
export const pinForm: Form<Pin> = { json: pinJson, text: pinText };

function pinText(pin: Pin, paint: Paint): string {
  const type = (pin.type === 'bad' ? 'bad-type' : pin.type).toUpperCase() + (pin.mode === 'direct' ? '-DIRECT' : '');
  const isEverywhere = pin.replicationFactorMin === -1 && pin.replicationFactorMax === -1;
  const factor = isEverywhere ? '-1' : `${pin.replicationFactorMin}--${pin.replicationFactorMax}`;
  const allocations = isEverywhere ? 'everywhere' : [...(pin.allocations ?? [])].sort().join(' ');
  const hasMetadata = Object.keys(pin.metadata ?? {}).length > 0;
  const fields = [
    paint('title', pin.cid.toString()),
    printable(pin.name),
    type,
    `Repl. Factor: ${factor}`,
    `Allocations: [${allocations}]`,
    depthText(pin.maxDepth),
    `Metadata: ${hasMetadata ? 'yes' : 'no'}`,
    `Exp: ${pin.expireAt === null ? '∞' : dateText(pin.expireAt)}`,
    `Added: ${pin.timestamp === null ? 'unknown' : dateText(pin.timestamp)}`,
  ];
  return `${fields.join(' | ')}\n`;
}

function depthText(depth: number): string {
  if (depth === 0) return 'Direct';
  return depth < 0 ? 'Recursive' : `Recursive-${depth}`;
}

/** Date and time of day in the zone in which the time was given. */
function dateText(time: Time): string {
  return formatTime(time).slice(0, 19).replace('T', ' ');
}
