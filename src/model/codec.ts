/**
 * The shape of a wire codec: a schema-directed writer and reader of one type.
 * Readers never trust: every length is checked against what is there and against the limit of the field.
 */
export interface Codec<T> {
  /** The bytes of one value. */
  encode(value: T): Uint8Array;
  /** One value that fills `bytes` exactly. Throws `OperatingError` `model/bad-encoding`. */
  decode(bytes: Uint8Array): T;
  /**
   * One value at `offset` of a buffer that may hold less or more.
   * @returns the value and the offset behind it, or `undefined` when the buffer ends before the value does.
   * Throws `OperatingError` `model/bad-encoding` as soon as the bytes cannot become a value.
   */
  decodeAt(bytes: Uint8Array, offset: number): { readonly value: T; readonly end: number } | undefined;
}
