/**
 * Makes a failing history small: leaves out operations, faults or steps, then tries calmer options, as long as the same checker
 * fails. Delta debugging: large parts first, then smaller ones. Source: Zeller and Hildebrandt, "Simplifying and isolating
 * failure-inducing input" (2002).
 */
import type { Plants } from './plants.ts';
import type { History } from './result.ts';
import { play } from './runner.ts';
import { calmWalk, type WalkPlan } from './walk/plan.ts';
import { calmWorld, type WorldPlan } from './world/plan.ts';

export interface ShrinkInput {
  readonly history: History;
  /** What must go on failing. */
  readonly checker: string;
  readonly plants?: Plants;
  /** Asked before each run; the best so far is the result. */
  readonly isOver: () => boolean;
}

/** Whether a candidate fails as the original did. */
type Fails<T> = (candidate: T) => Promise<boolean>;

export async function shrink({ history, checker, plants = {}, isOver }: ShrinkInput): Promise<History> {
  const fails = async (candidate: History): Promise<boolean> => {
    if (isOver()) return false;
    const { finding } = await play(candidate, { plants, drain: 'checkpoint' });
    return finding?.checker === checker;
  };
  if (history.simulation === 'walk') {
    const plan = await shrinkWalk(history.plan, (candidate) => fails({ simulation: 'walk', plan: candidate }));
    return { simulation: 'walk', plan };
  }
  const plan = await shrinkWorld(history.plan, (candidate) => fails({ simulation: 'world', plan: candidate }));
  return { simulation: 'world', plan };
}

async function shrinkWalk(plan: WalkPlan, fails: Fails<WalkPlan>): Promise<WalkPlan> {
  let best = plan;
  const leaveOut = async (): Promise<void> => {
    best = { ...best, steps: await fewer(best.steps, (steps) => fails({ ...best, steps })) };
  };
  await leaveOut();
  best = { ...best, options: await calmer(best.options, calmWalk, (options) => fails({ ...best, options })) };
  await leaveOut();
  return best;
}

async function shrinkWorld(plan: WorldPlan, fails: Fails<WorldPlan>): Promise<WorldPlan> {
  let best = plan;
  const leaveOut = async (part: 'operations' | 'faults' | 'armed'): Promise<void> => {
    // Proof of the type: a list of the same part with some left out.
    const list: readonly unknown[] = best[part];
    const left = await fewer(list, (candidate) => fails({ ...best, [part]: candidate }));
    best = { ...best, [part]: left };
  };
  for (const part of ['operations', 'faults', 'armed', 'operations'] as const) await leaveOut(part);
  best = { ...best, options: await calmer(best.options, calmWorld, (options) => fails({ ...best, options })) };
  for (const part of ['faults', 'armed', 'operations'] as const) await leaveOut(part);
  return best;
}

/** A part of the list that still fails, and from which no single item can be left out. */
async function fewer<T>(list: readonly T[], fails: Fails<readonly T[]>): Promise<readonly T[]> {
  let best = list;
  for (let size = best.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // From the end: what comes after the failure is never needed.
    for (let end = best.length; end > 0; ) {
      const start = Math.max(0, end - size);
      const candidate = [...best.slice(0, start), ...best.slice(end)];
      if (await fails(candidate)) best = candidate;
      end = start;
    }
  }
  return best;
}

async function calmer<T extends object>(options: T, calm: Partial<T>, fails: Fails<T>): Promise<T> {
  let best = options;
  for (const [name, value] of Object.entries(calm)) {
    const candidate = { ...best, [name]: value };
    const isOther = JSON.stringify(candidate) !== JSON.stringify(best);
    if (isOther && (await fails(candidate))) best = candidate;
  }
  return best;
}
