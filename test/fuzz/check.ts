/** One input through one parser, and what must hold of it. */
import { errorMessage } from '../../src/base/index.ts';
import { type FuzzTarget, isOwnRefusal, weigh } from './target.ts';

/**
 * Processor time of one input, which has 64 KiB at most. What takes long for so little takes for ever for more. Of this thread: other
 * processes do not count.
 */
export const cpuMsMax = 2_000;
/** What a parser may make of any input, however small. */
const weightMin = 64 * 1024;
const weightPerByteDefault = 64;

/** What went wrong, or `undefined`. */
export async function failureOf(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  const before = process.threadCpuUsage();
  let weight = 0;
  try {
    weight = weigh(await target.parse(input));
  } catch (error) {
    const isRefused = isOwnRefusal(error) || target.isRefusal?.(error) === true;
    if (!isRefused)
      return `not refused with an error of ours: ${error instanceof Error ? (error.stack ?? error.message) : errorMessage(error)}`;
    const letters = errorMessage(error).length;
    if (letters > messageLengthMin + messagePerByteMax * input.length) return `a message of ${letters} letters`;
  }
  const { user, system } = process.threadCpuUsage(before);
  const cpuMs = (user + system) / 1000;
  if (cpuMs > cpuMsMax) return `${Math.round(cpuMs)} ms of processor time`;
  const weightMax = weightMin + input.length * (target.weightPerByteMax ?? weightPerByteDefault);
  return weight > weightMax ? `it becomes ${weight}, of ${input.length} bytes` : undefined;
}

/** A refusal is one line, and may quote the input with escapes. */
const messageLengthMin = 1_000;
const messagePerByteMax = 16;

/** Runs at most while shrinking, and processor time: an input may fail because it is slow. */
const triesMax = 3_000;
const shrinkCpuMsMax = 30_000;

/** A smaller input that fails too: parts are left out, then bytes made plain. */
export async function shrunk(
  target: FuzzTarget,
  failing: Uint8Array,
  onInput: (input: Uint8Array) => void = () => {},
): Promise<Uint8Array> {
  let input = failing;
  let tries = 0;
  const before = process.threadCpuUsage();
  const fails = async (candidate: Uint8Array): Promise<boolean> => {
    tries += 1;
    if (tries > triesMax || process.threadCpuUsage(before).user > shrinkCpuMsMax * 1000) return false;
    onInput(candidate);
    return (await failureOf(target, candidate)) !== undefined;
  };
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < input.length; ) {
      const candidate = Buffer.concat([input.subarray(0, at), input.subarray(at + size)]);
      if (await fails(candidate)) input = candidate;
      else at += size;
    }
  }
  for (let at = 0; at < input.length; at += 1) {
    for (const plain of [0x30, 0x00]) {
      if (input[at] === plain || input[at] === 0x30) continue;
      const candidate = Uint8Array.from(input);
      candidate[at] = plain;
      if (await fails(candidate)) input = candidate;
    }
  }
  return input;
}
