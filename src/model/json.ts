/**
 * The JSON of the REST API: printed byte for byte as Go's `encoding/json` does, read leniently (unknown fields are
 * ignored; absent ones and `null` are zero values).
 */
import { OperatingError } from '../base/index.ts';
import type { AllocationExplanation } from './allocation.ts';
import type { EndOfStream } from './end-of-stream.ts';
import type { MemberState } from './member.ts';
import type { Alert, Metric, PingValue } from './metric.ts';
import type { OperationInfo } from './operation.ts';
import type { ConnectGraph, Id, Version } from './peer.ts';
import type { Pin } from './pin.ts';
import type { PinsvcFailure, PinsvcPin, PinsvcResults, PinsvcStatus } from './pinsvc.ts';
import type { RebalanceEvent } from './rebalance.ts';
import type { Replication } from './replication.ts';
import { allocationExplanationType } from './schema/allocation.ts';
import { listType } from './schema/containers.ts';
import { endOfStreamType } from './schema/end-of-stream.ts';
import { memberStateType } from './schema/member.ts';
import { operationInfoType } from './schema/operation.ts';
import { alertType, connectGraphType, idType, metricType, pingValueType, versionType } from './schema/peer.ts';
import { pinType } from './schema/pin.ts';
import { pinsvcFailureType, pinsvcPinType, pinsvcResultsType, pinsvcStatusType } from './schema/pinsvc.ts';
import { rebalanceEventType } from './schema/rebalance.ts';
import { replicationType } from './schema/replication.ts';
import { badJson, textType } from './schema/scalars.ts';
import { globalPinInfoType, globalRepoGcType } from './schema/status.ts';
import { revocationAnswerType, tokenAnswerType, tokenClaimsType } from './schema/token.ts';
import { addedOutputType, apiErrorType, bandwidthByProtocolType } from './schema/transfer.ts';
import type { JsonType } from './schema/type.ts';
import type { GlobalPinInfo, GlobalRepoGc } from './status.ts';
import type { RevocationAnswer, TokenAnswer, TokenClaims } from './token.ts';
import type { AddedOutput, ApiError, BandwidthByProtocol } from './transfer.ts';

/** A type in its JSON form. */
export interface Json<T> {
  /** Compact text without a line end. */
  print(value: T): string;
  /** Throws `OperatingError` `model/bad-json`, which says where and what was found. */
  parse(text: string): T;
}

/** A pin, also a line of `state export`. */
export const pinJson: Json<Pin> = jsonOf(pinType);
/** The body of `GET /pins/{hash}/allocation`. */
export const allocationExplanationJson: Json<AllocationExplanation> = jsonOf(allocationExplanationType);
/** A line of the answer to `POST /rebalance`. */
export const rebalanceEventJson: Json<RebalanceEvent> = jsonOf(rebalanceEventType);
/** The status of a pin. */
export const globalPinInfoJson: Json<GlobalPinInfo> = jsonOf(globalPinInfoType);
/** The body of `POST /ipfs/gc`. */
export const globalRepoGcJson: Json<GlobalRepoGc> = jsonOf(globalRepoGcType);
/** A peer about itself. */
export const idJson: Json<Id> = jsonOf(idType);
/** The body of `GET /version`. */
export const versionJson: Json<Version> = jsonOf(versionType);
/** The body of `GET /health/graph`. */
export const connectGraphJson: Json<ConnectGraph> = jsonOf(connectGraphType);
/** One metric. */
export const metricJson: Json<Metric> = jsonOf(metricType);
/** The body of `GET /monitor/metrics/{name}`. */
export const metricsJson: Json<readonly Metric[] | null> = jsonOf(listType(metricType));
/** One alert. */
export const alertJson: Json<Alert> = jsonOf(alertType);
/** The body of `GET /health/alerts`. */
export const alertsJson: Json<readonly Alert[] | null> = jsonOf(listType(alertType));
/** How one member is. */
export const memberStateJson: Json<MemberState> = jsonOf(memberStateType);
/** The body of `GET /health/peers`. */
export const memberStatesJson: Json<readonly MemberState[] | null> = jsonOf(listType(memberStateType));
/** The body of `GET /health/replication`. */
export const replicationJson: Json<Replication> = jsonOf(replicationType);
/** Text inside the `ping` metric. */
export const pingValueJson: Json<PingValue> = jsonOf(pingValueType);
/** The body of `GET /health/bandwidth`. */
export const bandwidthByProtocolJson: Json<BandwidthByProtocol> = jsonOf(bandwidthByProtocolType);
/** A line of the answer to `POST /add`. */
export const addedOutputJson: Json<AddedOutput> = jsonOf(addedOutputType);
/** The body of a failed request. */
export const apiErrorJson: Json<ApiError> = jsonOf(apiErrorType);
/** An unfinished operation of a peer. */
export const operationInfoJson: Json<OperationInfo> = jsonOf(operationInfoType);
/** The last line of a list, when asked for. */
export const endOfStreamJson: Json<EndOfStream> = jsonOf(endOfStreamType);
/** What a token says. */
export const tokenClaimsJson: Json<TokenClaims> = jsonOf(tokenClaimsType);
/** The body of `POST /token`, and of the request to `POST /token/revoke`. */
export const tokenAnswerJson: Json<TokenAnswer> = jsonOf(tokenAnswerType);
/** The body of `POST /token/revoke`. */
export const revocationAnswerJson: Json<RevocationAnswer> = jsonOf(revocationAnswerType);
/** A list of names. */
export const textsJson: Json<readonly string[] | null> = jsonOf(listType(textType));
/** The body of requests to the pinning service. */
export const pinsvcPinJson: Json<PinsvcPin> = jsonOf(pinsvcPinType);
/** A pin of the pinning service. */
export const pinsvcStatusJson: Json<PinsvcStatus> = jsonOf(pinsvcStatusType);
/** A list of the pinning service. */
export const pinsvcResultsJson: Json<PinsvcResults> = jsonOf(pinsvcResultsType);
/** The body of a failed request to the pinning service. */
export const pinsvcFailureJson: Json<PinsvcFailure> = jsonOf(pinsvcFailureType);

function jsonOf<T>(type: JsonType<T>): Json<T> {
  return { print: type.print, parse: (text) => type.parse(parseJson(text)) };
}

/** Sixteen digits in a row may be more than a double holds. */
const longNumber = /[0-9]{16}/;

/** JSON whose large integers keep all their digits, as bigint. */
function parseJson(text: string): unknown {
  try {
    return longNumber.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch (error) {
    if (error instanceof OperatingError) throw error;
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    throw badJson(`expected JSON, found ${JSON.stringify(shown)}`, error);
  }
}

/** `context.source` is there in engines with the source text proposal; elsewhere the nearest integer has to do. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value)) return value;
  const source = context?.source;
  return BigInt(source !== undefined && /^-?[0-9]+$/.test(source) ? source : value);
}
