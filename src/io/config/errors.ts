/** Errors of the peer's folder. The text begins with the file, so that one line tells where to look. */
import { errorMessage, OperatingError } from '../../base/index.ts';

/** Code `config/bad-file`: the file is there and cannot be used. */
export function badFile(path: string, message: string, cause?: unknown): OperatingError {
  return new OperatingError('config/bad-file', `${path}: ${message}`, cause === undefined ? {} : { cause });
}

/** Code `config/no-file`: nobody ever made it. */
export function noFile(path: string, advice: string): OperatingError {
  return new OperatingError('config/no-file', `${path}: no such file; ${advice}`);
}

/** Code `config/locked`. */
export function locked(path: string): OperatingError {
  return new OperatingError(
    'config/locked',
    `${path}: another peer is running on this folder; stop it first, or use another folder`,
  );
}

/** The same failure with the file in front. */
export function inFile(path: string, error: unknown): OperatingError {
  return badFile(path, errorMessage(error), error);
}
