/**
 * What to try after a failure. The failure itself is printed as the Go program prints it, for scripts; this is for people.
 */
import { errorCode } from '../../base/index.ts';
import type { RequestError } from '../../client/index.ts';

/** What of the command line matters for a hint. */
export interface HintSituation {
  /** As given with `--host`. */
  readonly host: string;
  readonly isTls: boolean;
  readonly hasCredentials: boolean;
}

/** One sentence, or `undefined` where the failure says it all. */
export function hintFor(error: RequestError, situation: HintSituation): string | undefined {
  return error.status === 0 ? hintForSilence(error, situation) : hintForRefusal(error, situation);
}

function hintForSilence(error: RequestError, { host, hasCredentials }: HintSituation): string | undefined {
  const { message } = error;
  // Not of what was to be fetched for sending it there.
  if (/^\w+ "[^"]*": Get "/.test(message)) return undefined;
  if (message.includes('connect: connection refused'))
    return `nothing listens there: is the peer running ("ipfs-cluster-service daemon")? --host names another address than ${host}`;
  if (message.includes('incoming message was too large'))
    return 'this peer is in a private network: --secret takes the secret in section cluster of its service.json';
  if (message.includes('does not use the same cluster secret'))
    return '--secret is not the one in section cluster of the service.json of that peer';
  if (message.includes('connect: no such file or directory'))
    return `no socket is there: is the peer running, and does it listen on that path? --host is ${host}`;
  if (message.includes('connect: permission denied')) return 'you may not open this socket; its owner or root may';
  if (message.includes('no such host')) return 'the name in --host could not be resolved';
  if (message.includes('server gave HTTP response to HTTPS client'))
    return hasCredentials
      ? 'this API has no TLS; --force-http sends the credentials without it, readable for everyone on the way'
      : 'this API has no TLS: leave --https out';
  if (message.includes('certificate is not valid for the name'))
    return '--host takes a name for which the certificate is made, as /dns4/<name>/tcp/<port>; --no-check-certificate accepts any';
  if (message.includes('signed by unknown authority'))
    return 'SSL_CERT_FILE=<file> or NODE_EXTRA_CA_CERTS=<file> makes a certificate known, --no-check-certificate accepts any';
  if (message.includes('(Client.Timeout ')) return 'the answer took longer than --timeout allows';
  if (message.includes('something else than an HTTP API'))
    return 'this is the port of something else; the API is at port 9094 unless configured, peers talk to each other at 9096';
  return undefined;
}

function hintForRefusal(error: RequestError, { isTls, hasCredentials }: HintSituation): string | undefined {
  const { status, message } = error;
  if (status === 400 && !isTls && /HTTP request to an HTTPS server/.test(message)) return 'this API wants TLS: --https';
  if (status === 401)
    return hasCredentials
      ? 'the peer does not accept these credentials'
      : 'this API wants credentials: --basic-auth user:password, or CLUSTER_CREDENTIALS in the environment';
  const word = /^(format|layout) parameter is invalid$/.exec(message)?.[1];
  if (word !== undefined) return `--${word} takes ${word === 'format' ? 'unixfs or car' : 'balanced or trickle'}`;
  if (status === 403) return 'these credentials may read only';
  if (isNoRoute(error))
    return 'this peer does not have the call: it is a Go peer, an older version, or not a cluster API at all';
  return undefined;
}

/** Not to be taken for a pin that is not there. */
function isNoRoute(error: RequestError): boolean {
  if (errorCode(error) !== 'client/refused') return false;
  return error.status === 405 || (error.status === 404 && /^(404 page )?not found\s*$/.test(error.message));
}
