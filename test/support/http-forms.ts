/** Requests as they go over the wire, ordinary ones and those that clients should not send, and what becomes of them. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** A request, or several; asked of the REST API of a peer that lets everybody in. */
export interface HttpForm {
  readonly name: string;
  /** Latin-1. */
  readonly request: string;
  /** Sent when the first answer has come. */
  readonly later?: string;
  /** Status codes of the answers, in order; that of `probe` is the last one where the connection was kept. */
  readonly ours: string;
  /** Those of the Go peer, where they are others, and why that is so. */
  readonly go?: { readonly answers: string; readonly why: string };
}

const host = 'Host: x\r\n';
const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\n${host}${more}\r\n`;
const post = (headers: string, body: string): string => `POST /peers HTTP/1.1\r\n${host}${headers}\r\n\r\n${body}`;
const chunked = 'Transfer-Encoding: chunked';

/** Follows every form: answered with 204 by whoever still listens. */
const probe = get('/health', 'Connection: close\r\n');

const strict = 'two readers may find its end in different places, so that it is refused';
const parser = 'refused by the parser, with 400 and the end of the connection';

/** What it takes to tell one server from another. */
export const httpForms: readonly HttpForm[] = [
