import { type GlobalRepoGc, globalRepoGcJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';

const nameWidth = 15;

/** What garbage collection freed on each peer. */
export const gcForm: Form<GlobalRepoGc> = { json: globalRepoGcJson, text: gcText };

function gcText(gc: GlobalRepoGc): string {
  let text = '';
  for (const id of Object.keys(gc.peerMap).sort()) {
    const peer = gc.peerMap[id];
    if (peer === undefined) continue;
    const name = (peer.peername === '' ? id : peer.peername).padEnd(nameWidth);
    text += `${name}${peer.error === '' ? '' : ` | ERROR: ${peer.error}`}\n  > CIDs:\n`;
    for (const key of peer.keys ?? []) text += `    - ${key.error === '' ? key.key : `ERROR: ${key.error}`}\n`;
  }
  return text;
}
