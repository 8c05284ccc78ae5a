/** The pin that a request's body asks for. */
import { errorMessage } from '../../base/index.ts';
import { type PinsvcPin, parseMultiaddr, pinsvcPinJson } from '../../model/index.ts';
import { RequestError } from '../kit/index.ts';
import { metaEntriesMax, nameLengthMax } from './list-query.ts';

/** The specification's bound. */
const originsMax = 20;

/** Unknown fields are ignored. Throws a `RequestError` 400 that names the field. */
export function parsePinBody(text: string): PinsvcPin {
  let pin: PinsvcPin;
  try {
    pin = pinsvcPinJson.parse(text);
  } catch (error) {
    throw refused(errorMessage(error));
  }
  const { cid, name, origins, meta } = pin;
  if (!cid.isDefined) throw refused('cid: found none, expected the CID to pin');
  const length = [...name].length;
  if (length > nameLengthMax) throw refused(`name: found ${length} characters, expected at most ${nameLengthMax}`);
  if (origins !== null && origins.length > originsMax) {
    throw refused(`origins: found ${origins.length} addresses, expected at most ${originsMax}`);
  }
  for (const [i, address] of (origins ?? []).entries()) {
    try {
      parseMultiaddr(address);
    } catch (error) {
      throw refused(`origins[${i}]: ${errorMessage(error)}`);
    }
  }
  const entries = Object.keys(meta ?? {}).length;
  if (entries > metaEntriesMax) throw refused(`meta: found ${entries} entries, expected at most ${metaEntriesMax}`);
  return pin;
}

function refused(problem: string): RequestError {
  return new RequestError(400, `error decoding request body: ${problem}`);
}
