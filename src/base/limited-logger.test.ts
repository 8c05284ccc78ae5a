import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { limitedLogger } from './limited-logger.ts';
import type { LogFields, Logger } from './logger.ts';

function recorder(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const scoped = (scope: string): Logger => {
    const note =
      (level: string) =>
      (message: string, fields?: LogFields): void =>
        void lines.push(`${scope}${level} ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`);
    const [error, warn, info, debug] = ['error', 'warn', 'info', 'debug'].map(note) as [
      Logger['error'],
      Logger['warn'],
      Logger['info'],
      Logger['debug'],
    ];
    return { error, warn, info, debug, scope: (name) => scoped(`${name}: `) };
  };
  return { lines, logger: scoped('') };
}

test('limitedLogger: a cause has one line a minute, and the next one says what was left out (R49)', async () => {
  const clock = new FakeClock();
  const { lines, logger } = recorder();
  const log = limitedLogger(logger, clock).scope('ipfs');
  for (let second = 0; second <= 120; second++) {
    // What varies is no cause of its own.
    log.warn('pin failed', { cid: `bafk${second}`, error: `no block after ${second} s`, attempts: second });
    await clock.advance(1000);
  }
  assert.deepEqual(lines, [
    'ipfs: warn pin failed {"cid":"bafk0","error":"no block after 0 s","attempts":0}',
    'ipfs: warn pin failed {"cid":"bafk60","error":"no block after 60 s","attempts":60,"leftOut":59}',
    'ipfs: warn pin failed {"cid":"bafk120","error":"no block after 120 s","attempts":120,"leftOut":59}',
  ]);
});

test('limitedLogger: other messages, peers, places, levels and parts are other causes; what is no trouble passes', () => {
  const { lines, logger } = recorder();
  const log = limitedLogger(logger, new FakeClock());
  for (let twice = 0; twice < 2; twice++) {
    log.warn('lost');
    log.error('lost');
    log.warn('lost', { peer: 'a' });
    log.warn('lost', { peer: 'b' });
    log.warn('lost', { path: '/x' });
    log.scope('raft').warn('lost');
    log.info('here');
    log.debug('there');
  }
  assert.deepEqual(lines, [
    'warn lost',
    'error lost',
    'warn lost {"peer":"a"}',
    'warn lost {"peer":"b"}',
    'warn lost {"path":"/x"}',
    'raft: warn lost',
    'info here',
    'debug there',
    'info here',
    'debug there',
  ]);
});

test('limitedLogger: one scope that is asked for again and again is one', () => {
  const { lines, logger } = recorder();
  const log = limitedLogger(logger, new FakeClock());
  for (let count = 0; count < 5; count++) log.scope('state').error('damaged');
  assert.deepEqual(lines, ['state: error damaged']);
});
