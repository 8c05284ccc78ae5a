/** Randomness as an argument: production seeds it from the system, the simulator from its seed. */
export interface Random {
  /** A uniform integer, `0 <= result < limit`; `1 <= limit <= 2^32`. */
  integer(limit: number): number;
}
