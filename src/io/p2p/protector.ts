/**
 * The private network: every byte of a connection is XORed with a keystream of the cluster secret.
 *
 * Each side sends a random nonce before its first byte; a keystream runs on for the life of the connection, one per
 * direction. There is no handshake and no check in the protocol itself, so a wrong secret shows as garbage: both sides
 * begin with the same known line, which is looked at here to give the cause its name.
 * Source: libp2p spec `pnet/Private-Networks-PSK-V1.md`.
 */
import { randomBytes } from 'node:crypto';
import type {
  AbortOptions,
  ConnectionProtector,
  MessageStream,
  StreamCloseEvent,
  StreamMessageEvent,
} from '@libp2p/interface';
import { AbstractMessageStream, type SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { p2pError } from './errors.ts';
import { multistreamHeader } from './negotiation.ts';
import { XSalsa20, xsalsa20KeyBytes, xsalsa20NonceBytes } from './xsalsa20.ts';

/** Text of the error of a connection whose other side uses another secret, or none. Part of the dial error. */
export const wrongSecretText = 'the other side does not use the same cluster secret';

/**
 * @param secret 32 bytes, used as they are
 * @param onRefused told of connections from strangers, with their address
 */
export function createProtector(secret: Uint8Array, onRefused: (remote: string) => void): ConnectionProtector {
  if (secret.length !== xsalsa20KeyBytes) {
    throw p2pError('bad-option', `Cannot use the cluster secret: ${secret.length} bytes, ${xsalsa20KeyBytes} required`);
  }
  return { protect: async (connection) => new ProtectedStream(connection, secret, onRefused) };
}

/** One protected connection. All state is its own: nothing is shared with other connections. */
class ProtectedStream extends AbstractMessageStream {
  readonly #inner: MessageStream;
  readonly #secret: Uint8Array;
  readonly #onRefused: (remote: string) => void;
  readonly #remoteNonce = new Uint8Array(xsalsa20NonceBytes);
  #remoteNonceBytes = 0;
  #encryptor: XSalsa20 | undefined;
  #decryptor: XSalsa20 | undefined;
  /** Bytes of the first line that the remote has sent correctly. */
  #greetingBytes = 0;
  #isRefusing = false;

  constructor(inner: MessageStream, secret: Uint8Array, onRefused: (remote: string) => void) {
    super({
      log: inner.log,
      inactivityTimeout: inner.inactivityTimeout,
      maxReadBufferLength: inner.maxReadBufferLength,
      direction: inner.direction,
    });
    this.#inner = inner;
    this.#secret = secret;
    this.#onRefused = onRefused;
    inner.addEventListener('message', (event: StreamMessageEvent) => this.#onMessage(event.data));
    inner.addEventListener('drain', () => this.safeDispatchEvent('drain'));
    inner.addEventListener('remoteCloseWrite', () => this.onRemoteCloseWrite());
    inner.addEventListener('close', (event: StreamCloseEvent) => {
      if (event.error === undefined) this.onTransportClosed();
      else if (event.local === true) this.abort(event.error);
      else this.onRemoteReset();
    });
  }

  /** Encrypts into one fresh buffer: one write to the socket, whatever the number of pieces. */
  override sendData(data: Uint8ArrayList): SendResult {
    const first = this.#encryptor === undefined;
    const sentBytes = data.byteLength;
    const output = Buffer.allocUnsafe(sentBytes + (first ? xsalsa20NonceBytes : 0));
    let offset = 0;
    if (this.#encryptor === undefined) {
      const nonce = randomBytes(xsalsa20NonceBytes);
      output.set(nonce, 0);
      offset = nonce.length;
      this.#encryptor = new XSalsa20(this.#secret, nonce);
    }
    for (const piece of data) {
      this.#encryptor.update(piece, output, offset);
      offset += piece.length;
    }
    return { sentBytes, canSendMore: this.#inner.send(output) };
  }

  override sendReset(error: Error): void {
    if (!this.#isRefusing) this.#inner.abort(error);
  }

  override sendPause(): void {
    this.#inner.pause();
  }

  override sendResume(): void {
    this.#inner.resume();
  }

  override close(options?: AbortOptions): Promise<void> {
    return this.#inner.close(options);
  }

  #onMessage(data: Uint8Array | Uint8ArrayList): void {
    if (data instanceof Uint8Array) this.#onBytes(data);
    else for (const piece of data) this.#onBytes(piece);
  }

  #onBytes(received: Uint8Array): void {
    if (this.status !== 'open') return;
    let bytes = received;
    if (this.#decryptor === undefined) {
      const count = Math.min(bytes.length, xsalsa20NonceBytes - this.#remoteNonceBytes);
      this.#remoteNonce.set(bytes.subarray(0, count), this.#remoteNonceBytes);
      this.#remoteNonceBytes += count;
      if (this.#remoteNonceBytes < xsalsa20NonceBytes) return;
      this.#decryptor = new XSalsa20(this.#secret, this.#remoteNonce);
      bytes = bytes.subarray(count);
    }
    // In place: the bytes were just read from the socket and belong to nobody else.
    this.#decryptor.update(bytes, bytes, 0);
    if (this.#greetingBytes < multistreamHeader.length && !this.#isGreeting(bytes)) {
      this.#refuse();
      return;
    }
    this.onData(bytes);
  }

  /** Ends the connection, but lets a dialer see our greeting first: by it the dialer knows what is wrong. */
  #refuse(): void {
    this.#isRefusing = true;
    if (this.direction === 'inbound') {
      this.#onRefused('remoteAddr' in this.#inner ? String(this.#inner.remoteAddr) : 'unknown');
      if (this.#encryptor === undefined) this.send(multistreamHeader);
    }
    this.#inner.close().catch((error: Error) => this.#inner.abort(error));
    this.abort(p2pError('wrong-secret', wrongSecretText));
  }

  #isGreeting(bytes: Uint8Array): boolean {
    const count = Math.min(bytes.length, multistreamHeader.length - this.#greetingBytes);
    for (let i = 0; i < count; i++) {
      if (bytes[i] !== multistreamHeader[this.#greetingBytes + i]) return false;
    }
    this.#greetingBytes += count;
    return true;
  }
}
