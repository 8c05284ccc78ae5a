/** The last line of a list whose reader has asked for one: readers that see no trailers can tell a whole list from a cut one. */

/** `end-record=true`: what comes after the items of a list. No such thing in the reference. */
export interface EndOfStream {
  /** Always true: no item of any list has it. */
  readonly endOfStream: boolean;
  /** Lines before this one. */
  readonly items: number;
  /** What has gone wrong; the list is whole only when there is nothing. */
  readonly errors: readonly string[] | null;
  /** Cursor of the next page; empty at the end, and of lists that have no pages. */
  readonly next: string;
}
