/**
 * The commands that peers agree on, data of Raft log entries.
 * Source: Go `consensus/raft/log_op.go` `LogOp`.
 *
 * A Go peer decodes every command onto the same object and its encoder leaves zero fields out, so that a pin inherits
 * what an earlier one had set. We write every field, nil for what is empty: then nothing leaks in Go followers. And we
 * decode each command onto an empty one.
 */
import type { Codec } from './codec.ts';
import type { Pin } from './pin.ts';
import type { MsgpackReader } from './schema/msgpack-reader.ts';
import { pinType } from './schema/pin.ts';
import { codecOf, type WireType } from './schema/type.ts';

/** Wire values: 1 pin, 2 unpin. Others are `unknown`, to be logged and ignored as Go does. */
export type RaftCommandType = 'pin' | 'unpin' | 'unknown';

/** One change of the pinset. */
export interface RaftCommand {
  readonly type: RaftCommandType;
  /** Of an unpin only the CID counts. */
  readonly pin: Pin;
}

const typeNumbers = { unknown: 0, pin: 1, unpin: 2 } as const;

const commandType: WireType<RaftCommand> = {
  zero: { type: 'unknown', pin: pinType.zero },
  isZero: () => false,
  write(writer, value) {
    writer.mapHeader(2);
    writer.string('c');
    pinType.write(writer, value.pin);
    writer.string('p');
    writer.int(typeNumbers[value.type]);
  },
  read(reader) {
    let pin = pinType.zero;
    let type: RaftCommandType = 'unknown';
    if (reader.isNil()) return { type, pin };
    for (let count = reader.mapHeader(16); count > 0; count--) {
      const key = reader.string(256);
      if (key === 'c') pin = pinType.read(reader);
      else if (key === 'p') type = readType(reader);
      // Tracing contexts, present only where tracing is on.
      else if (key === 's' || key === 't') reader.skip();
      else throw reader.fail(`unknown field "${key}" in a command`);
    }
    return { type, pin };
  },
};

function readType(reader: MsgpackReader): RaftCommandType {
  if (reader.isNil()) return 'unknown';
  const value = reader.int(-0x80000000, 0x7fffffff);
  return value === 1 ? 'pin' : value === 2 ? 'unpin' : 'unknown';
}

/** Commands in the explicit form; refuses unknown fields. */
export const raftCommandCodec: Codec<RaftCommand> = codecOf(commandType, { explicit: true, strict: true });
