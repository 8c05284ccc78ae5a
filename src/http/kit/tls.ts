/** TLS as the reference offers it. Source: Go `api/common/tls.go`, `api/common/config.go` `tlsOptions`. */
import type { Server, ServerOptions } from 'node:https';
import type { Socket } from 'node:net';

/** Certificate and key. */
export interface TlsFiles {
  /** PEM. */
  readonly cert: string | Uint8Array;
  /** PEM. */
  readonly key: string | Uint8Array;
}

/** First byte of a TLS handshake record (RFC 8446 §5.1). */
const handshakeType = 0x16;
/** Go net/http `conn.serve` on `tls.RecordHeaderError`. */
const plainHttpAnswer = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

/** Versions, curves and suites; `handshakeTimeoutMs` 0 means no limit. */
export function tlsOptions({ cert, key }: TlsFiles, handshakeTimeoutMs: number): ServerOptions {
  return {
    cert: Buffer.from(cert),
    key: Buffer.from(key),
    minVersion: 'TLSv1.2',
    ecdhCurve: 'P-521:P-384:P-256',
    ciphers: [
      ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
      ...['ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-SHA', 'AES256-GCM-SHA384', 'AES256-SHA'],
    ].join(':'),
    honorCipherOrder: true,
    // No protocol is chosen, whatever the client offers.
    ALPNProtocols: [],
    ...(handshakeTimeoutMs === 0 ? {} : { handshakeTimeout: handshakeTimeoutMs }),
  };
}

/** Lets the server tell those who speak plain HTTP what is wrong, and close on those who say nothing. */
export function expectTls(server: Server, handshakeTimeoutMs: number): void {
  const handshakes = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    socket.setTimeout(handshakeTimeoutMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    const look = (): void => {
      const first: Buffer | null = socket.read();
      // Closed without a word.
      if (first === null) return;
      socket.off('readable', look);
      if (first[0] !== handshakeType) {
        socket.end(plainHttpAnswer);
        socket.resume();
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.unshift(first);
      for (const handshake of handshakes) handshake.call(server, socket);
    };
    socket.on('readable', look);
  });
}
