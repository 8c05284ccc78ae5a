/** The handler of each route of the pinning service, by the id of its row. */
import { errorCode, errorMessage, version } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import {
  Cid,
  createdAt,
  defaultPinOptions,
  type Pin,
  type PinOptions,
  type PinsvcPin,
  type PinsvcRouteId,
  pinsvcOpenApi,
  pinsvcResultsJson,
  pinsvcStatusJson,
} from '../../model/index.ts';
import {
  type ApiCall,
  issueToken,
  RequestError,
  revokeToken,
  sendApiAsset,
  sendApiPage,
  sendJson,
  sendNothing,
  sendOpenApi,
} from '../kit/index.ts';
import { delegatesOf } from './delegates.ts';
import { dataPin, describePin, infoSource, listPins } from './list.ts';
import { parseListQuery } from './list-query.ts';
import { parsePinBody } from './pin-body.ts';

/** What a handler answers a request from. */
export type Handler = (call: ApiCall, cluster: ClusterApi) => Promise<unknown>;

/** What an unknown pin costs at most, in milliseconds, until it is certain that it is not there. */
const syncTimeoutMs = 2_000;

export const handlers: Readonly<Record<PinsvcRouteId, Handler>> = {
  listPins: async (call, cluster) => {
    const results = await listPins(parseListQuery(call.query), cluster, call.signal);
    return sendJson(call, pinsvcResultsJson.print(results));
  },
  addPin: async (call, cluster) => {
    const asked = parsePinBody(await call.text());
    accept(call, cluster, asked, await pinned(cluster, asked, {}));
  },
  getPin: async (call, cluster) => {
    const status = await describePin(await knownPin(call, cluster), cluster, call.signal);
    if (status === undefined) throw noPin();
    return sendJson(call, pinsvcStatusJson.print(status));
  },
  replacePin,
  removePin: async (call, cluster) => {
    const { cid } = await knownPin(call, cluster);
    await refusing(() => cluster.unpin(cid));
    call.send(202, '');
  },
  postRevokeToken: (call, cluster) => revokeToken(call, (token) => cluster.revokeToken(token)),
  postToken: issueToken,
  getOpenApi: (call) => sendOpenApi(call, pinsvcOpenApi(version)),
  getApiPage: sendApiPage,
  getApiAsset: sendApiAsset,
  getHealth: sendNothing,
};

/**
 * The new pin is on the same peers, as far as they can take it, which have the blocks that both share. It is queued before the old
 * one is let go of. A pin of the same CID is changed where it is.
 */
async function replacePin(call: ApiCall, cluster: ClusterApi): Promise<void> {
  const old = await knownPin(call, cluster);
  const asked = parsePinBody(await call.text());
  const { replicationFactorMin, replicationFactorMax, allocations } = old;
  const pin = await pinned(cluster, asked, {
    replicationFactorMin,
    replicationFactorMax,
    userAllocations: allocations,
  });
  if (!asked.cid.equals(old.cid)) {
    try {
      await cluster.unpin(old.cid);
    } catch (error) {
      // Somebody else may have removed it meanwhile.
      if (errorCode(error) !== 'cluster/not-pinned') {
        throw new RequestError(500, `${asked.cid} is pinned, and ${old.cid} still is: ${errorMessage(error)}`);
      }
    }
  }
  accept(call, cluster, asked, pin);
}

async function pinned(cluster: ClusterApi, asked: PinsvcPin, options: Partial<PinOptions>): Promise<Pin> {
  const { cid, name, origins, meta: metadata } = asked;
  return await refusing(() => cluster.pin(cid, { ...defaultPinOptions, ...options, name, origins, metadata }));
}

/** The pin is agreed on: it cannot be lost. What IPFS makes of it is asked later. */
function accept(call: ApiCall, cluster: ClusterApi, asked: PinsvcPin, { timestamp, allocations }: Pin): void {
  const body = pinsvcStatusJson.print({
    requestid: asked.cid.toString(),
    status: 'queued',
    created: createdAt(asked.cid, timestamp),
    pin: asked,
    delegates: delegatesOf(cluster)(allocations),
    info: { source: infoSource },
  });
  call.send(202, `${body}\n`);
}

/** What another peer has acknowledged a moment ago may not be here yet. */
async function knownPin(call: ApiCall, cluster: ClusterApi): Promise<Pin> {
  const cid = requestedCid(call);
  let pin = dataPin(cluster, cid);
  if (pin === undefined) {
    try {
      await cluster.readBarrier({ signal: call.signal, timeoutMs: syncTimeoutMs });
    } catch {
      // Without a leader that can tell, what is here has to do.
    }
    pin = dataPin(cluster, cid);
  }
  if (pin === undefined) throw noPin();
  return pin;
}

function requestedCid(call: ApiCall): Cid {
  try {
    return Cid.parse(call.param('requestid'));
  } catch (error) {
    throw new RequestError(400, `error decoding requestID: ${errorMessage(error)}`);
  }
}

function noPin(): RequestError {
  return new RequestError(404, 'pin not found');
}

/** What the request itself is to blame for is told so. */
async function refusing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const status = statusOfCode[errorCode(error)];
    throw status === undefined ? error : new RequestError(status, errorMessage(error));
  }
}

const statusOfCode: Readonly<Record<string, number>> = {
  'cluster/bad-pin': 400,
  'cluster/refused-pin': 400,
  'cluster/follower-mode': 403,
};
