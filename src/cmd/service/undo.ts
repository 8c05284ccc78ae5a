/** What to do backwards: the stops of all parts that were started. */
export interface Undo {
  add(act: () => void | Promise<void>): void;
  /** Runs all, the last added first, each whatever the others did. Once; never rejects. */
  run(): Promise<void>;
}

/** `onError` is told of what a stop throws. */
export function createUndo(onError: (error: unknown) => void): Undo {
  const acts: (() => void | Promise<void>)[] = [];
  let running: Promise<void> | undefined;
  const runAll = async (): Promise<void> => {
    for (const act of acts.toReversed()) {
      try {
        await act();
      } catch (error) {
        onError(error);
      }
    }
  };
  return {
    add: (act) => void acts.push(act),
    run: () => {
      running ??= runAll();
      return running;
    },
  };
}
