export { type AddParams, addParameters, parseAddParams, shardSizeDefault } from './add-params.ts';
export type {
  AllocationClass,
  AllocationExplanation,
  AllocationOutcome,
  JudgedMetric,
  JudgedPeer,
} from './allocation.ts';
export { Cid } from './cid.ts';
export type { Codec } from './codec.ts';
export { metricCodec, rpcResponseCodec, serviceIdCodec, skipMsgpackValue } from './codecs.ts';
export { formatGoDuration, parseGoDuration } from './duration.ts';
export type { EndOfStream } from './end-of-stream.ts';
export {
  type ClusterEvent,
  type EventId,
  type EventTopic,
  type EventType,
  eventTopics,
  formatEventId,
  type PeerEventState,
  parseEventId,
} from './event.ts';
export { formatStatusFilter, parsePinTypeFilter, parseStatusFilter, statusMatches } from './filters.ts';
export { type RpcErrorType, type RpcResponse, rpcErrorTypes, type ServiceId } from './gorpc.ts';
export {
  addedOutputJson,
  alertJson,
  alertsJson,
  allocationExplanationJson,
  apiErrorJson,
  bandwidthByProtocolJson,
  connectGraphJson,
  endOfStreamJson,
  globalPinInfoJson,
  globalRepoGcJson,
  idJson,
  type Json,
  memberStateJson,
  memberStatesJson,
  metricJson,
  metricsJson,
  operationInfoJson,
  pingValueJson,
  pinJson,
  pinsvcFailureJson,
  pinsvcPinJson,
  pinsvcResultsJson,
  pinsvcStatusJson,
  rebalanceEventJson,
  replicationJson,
  revocationAnswerJson,
  textsJson,
  tokenAnswerJson,
  tokenClaimsJson,
  versionJson,
} from './json.ts';
export {
  type CordonMode,
  type CordonRequest,
  cordonModes,
  type MemberCondition,
  type MemberState,
} from './member.ts';
export {
  type AnyRpcMethod,
  findMethod,
  hasService,
  methods,
  type Nothing,
  nothing,
  type RpcMethod,
  type RpcStreamMethod,
  type RpcTrust,
} from './methods.ts';
export type { Alert, Metric, PingValue } from './metric.ts';
export { multiaddrFromBytes, multiaddrToBytes, parseMultiaddr, peerIdOfMultiaddr } from './multiaddr.ts';
export type { OpenApiDocument } from './openapi/document.ts';
export { pinsvcOpenApi } from './openapi/pinsvc.ts';
export { restOpenApi } from './openapi/rest.ts';
export type {
  IpfsFailureCode,
  OperationCause,
  OperationInfo,
  OperationPhase,
  OperationQueue,
  OperationType,
} from './operation.ts';
export type { ConnectGraph, Id, IpfsId, Multiaddr, PeerId, Version } from './peer.ts';
export { parsePeerId, peerIdFromBytes, peerIdToBytes } from './peer-id.ts';
export { type Pin, type PinMode, type PinOptions, type PinPath, type PinType, pinTypeBits } from './pin.ts';
export { PinLines } from './pin-lines.ts';
export { defaultPinOptions, formatPinOptions, parsePinOptions, pinOptionsParameters } from './pin-options-query.ts';
export { cidOfStateKey, decodePin, encodePin, stateKey, storedExpirySeconds, storedSeconds } from './pin-protobuf.ts';
export {
  formatCursor,
  formatPinSearch,
  matchesSearch,
  type PinSearch,
  parseCursor,
  parsePinSearch,
} from './pin-search.ts';
export {
  type PinsvcFailure,
  type PinsvcPin,
  type PinsvcResults,
  type PinsvcState,
  type PinsvcStatus,
  pinsvcStates,
} from './pinsvc.ts';
export { byCreated, createdAt, createdOf, endOfPage, secondsOf } from './pinsvc-created.ts';
export { type PinsvcRoute, type PinsvcRouteId, pinsvcRoutes } from './pinsvc-routes.ts';
export { formatQuery, parseQuery, type Query } from './query.ts';
export { type RaftCommand, type RaftCommandType, raftCommandCodec } from './raft-command.ts';
export { type ChangeRequest, type LogPosition, type ProposeRequest, raftLeaderMethods } from './raft-leader.ts';
export {
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  appendEntriesRequestCodec,
  appendEntriesResponseCodec,
  type InstallSnapshotRequest,
  type InstallSnapshotResponse,
  installSnapshotRequestCodec,
  installSnapshotResponseCodec,
  type RaftConfiguration,
  type RaftHeader,
  type RaftLogEntry,
  type RaftServer,
  type RequestPreVoteRequest,
  type RequestPreVoteResponse,
  type RequestVoteRequest,
  type RequestVoteResponse,
  raftConfigurationCodec,
  raftErrorCodec,
  raftLogEntryCodec,
  raftLogTypes,
  raftPeersCodec,
  raftRpcTypes,
  raftSuffrages,
  requestPreVoteRequestCodec,
  requestPreVoteResponseCodec,
  requestVoteRequestCodec,
  requestVoteResponseCodec,
  timeoutNowCodec,
} from './raft-wire.ts';
export type {
  MoveReason,
  MoveState,
  RebalanceEvent,
  RebalanceMove,
  RebalanceShare,
  RebalanceSummary,
} from './rebalance.ts';
export type { PeerReplicas, ReplicaCounts, Replication } from './replication.ts';
export { type ReplyKind, type Route, type RouteAccess, type RouteId, type RouteParameter, routes } from './routes.ts';
export { type SnapshotRecord, snapshotRecordCodec } from './snapshot-record.ts';
export {
  type GlobalPinInfo,
  type GlobalRepoGc,
  type IpfsPinInfo,
  type IpfsPinStatus,
  type IpfsRepoGc,
  type IpfsRepoStat,
  ipfsPinStatuses,
  type PinInfo,
  type PinInfoShort,
  type RemoteStatusRow,
  type RepoGc,
  type StatusFilter,
  type StatusRow,
  type TrackerStatus,
  trackerStatusBits,
  trackerStatusGroups,
} from './status.ts';
export { readStatusRows, type StatusBlock, type StatusPlace, StatusRowWriter } from './status-block.ts';
export {
  type GlobalStatusRow,
  globalOfOne,
  globalPinInfoOf,
  type PeerLabel,
  type PeerStatus,
  StatusLines,
} from './status-lines.ts';
export { type PinHeader, type PinPlacement, StoredPin } from './stored-pin.ts';
export { compareTimes, formatTime, parseTime, type Time, timeFromNanos, timeToNanos } from './time.ts';
export type { RevocationAnswer, RevokedToken, TokenAnswer, TokenClaims } from './token.ts';
export type { AddedOutput, ApiError, Bandwidth, BandwidthByProtocol, NodeWithMeta } from './transfer.ts';
