/** How far an upload is, in a line. */
import { bytesText } from '../format/bytes.ts';

/** The rate is that of so many milliseconds: long enough to be steady, short enough to tell what is going on. */
const windowMs = 5000;
const barWidth = 24;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** A function that takes the bytes sent so far, and says how far that is. `clockMs` is monotonic. */
export function uploadProgress(totalBytes: number | undefined, clockMs: () => number): (sentBytes: number) => string {
  let samples: Sample[] = [{ atMs: clockMs(), bytes: 0 }];
  return (sentBytes) => {
    const now = { atMs: clockMs(), bytes: sentBytes };
    // Sent again, to another peer.
    if (sentBytes < (samples.at(-1)?.bytes ?? 0)) samples = [];
    const last = samples.at(-1);
    if (last === undefined || now.atMs - last.atMs >= windowMs / 20) samples.push(now);
    while ((samples[1]?.atMs ?? now.atMs) < now.atMs - windowMs) samples.shift();
    const [first = now] = samples;
    const seconds = (now.atMs - first.atMs) / 1000;
    const rate = seconds > 0 ? (sentBytes - first.bytes) / seconds : 0;
    return lineOf(sentBytes, totalBytes, rate);
  };
}

function lineOf(sentBytes: number, totalBytes: number | undefined, rate: number): string {
  const speed = `${bytesText(BigInt(Math.round(rate)))}/s`;
  if (totalBytes === undefined) return `${bytesText(BigInt(sentBytes))} sent, ${speed}`;
  if (sentBytes >= totalBytes) return `${bytesText(BigInt(totalBytes))} sent, waiting for the peer`;
  const share = sentBytes / totalBytes;
  const full = Math.floor(share * barWidth);
  const bar = `[${'#'.repeat(full)}${'-'.repeat(barWidth - full)}]`;
  const left = rate > 0 ? `, ${durationText((totalBytes - sentBytes) / rate)} left` : '';
  const amount = `${bytesText(BigInt(sentBytes))} of ${bytesText(BigInt(totalBytes))}`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(2)}% ${amount}, ${speed}${left}`;
}

/** Whole seconds as `5s`, `2m05s`, `1h02m`. */
function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours}h${String(minutes).padStart(2, '0')}m`;
  return minutes > 0 ? `${minutes}m${String(whole % 60).padStart(2, '0')}s` : `${whole}s`;
}
