import { printable } from '../../../base/index.ts';
import { type BandwidthByProtocol, bandwidthByProtocolJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import { bytesText } from './bytes.ts';

const protocolWidth = 25;
const bytesWidth = 7;

/** What each protocol has taken of the network. */
export const bandwidthForm: Form<BandwidthByProtocol> = { json: bandwidthByProtocolJson, text: bandwidthText };

function bandwidthText(bandwidth: BandwidthByProtocol): string {
  let text = '';
  for (const protocol of Object.keys(bandwidth).sort()) {
    const used = bandwidth[protocol];
    if (used === undefined) continue;
    const [bytesIn, bytesOut] = [used.totalIn, used.totalOut].map((bytes) =>
      bytesText(BigInt(bytes)).padStart(bytesWidth),
    );
    text += `${printable(protocol).padStart(protocolWidth)}: In: ${bytesIn}. Out: ${bytesOut}.`;
    text += ` RateIn: ${used.rateIn.toFixed(2)}B/s. RateOut: ${used.rateOut.toFixed(2)}B/s\n`;
  }
  return text;
}
