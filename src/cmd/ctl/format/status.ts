import { printable } from '../../../base/index.ts';
import { formatTime, type GlobalPinInfo, globalPinInfoJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import type { Paint } from '../paint.ts';
import { toneOf } from './tone.ts';

const peerWidth = 20;

/** A pin and its state on each peer. */
export const statusForm: Form<GlobalPinInfo> = { json: globalPinInfoJson, text: statusText };

function statusText(info: GlobalPinInfo, paint: Paint): string {
  let text = `${paint('title', info.cid.toString())}${info.name === '' ? '' : ` | ${printable(info.name)}`}:\n`;
  for (const id of Object.keys(info.peerMap).sort()) {
    const peer = info.peerMap[id];
    if (peer === undefined) continue;
    const name = printable(peer.peername === '' ? id : peer.peername).padEnd(peerWidth);
    const error = peer.error === '' ? '' : `: ${peer.error}`;
    text += `    > ${name} : ${paint(toneOf(peer.status), peer.status.toUpperCase())}${error} | ${formatTime(peer.timestamp)}`;
    text += ` | Attempts: ${peer.attemptCount} | Priority: ${peer.priorityPin}\n`;
  }
  return text;
}
