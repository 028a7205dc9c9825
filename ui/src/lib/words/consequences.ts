// A plan by what it means for whoever reads it: what is lost, what comes, what cannot be, and what stays.

import type { Ask } from '../bindings/Ask';
import type { DecisionChoice } from '../bindings/DecisionChoice';
import type { Error as Failure } from '../bindings/Error';
import type { Plan } from '../bindings/Plan';
import type { PlannedChange } from '../bindings/PlannedChange';
import { refWords } from './words';

export interface Impossible {
  message: string;
  hint: string;
  action?: Failure['action'];
}

export interface Consequences {
  loses: PlannedChange[];
  adds: PlannedChange[];
  impossible: Impossible[];
  /** What is so and stays so, a phrase each. */
  facts: string[];
  /** How many things stay as they are; `null` where the plan does not say. */
  unchanged: number | null;
}

const LOSES: readonly PlannedChange['action'][] = ['rewrite', 'delete'];

/** Each once, where several aspects say the same. */
export function once<T>(all: readonly T[], by: (one: T) => string): T[] {
  return [...new Map(all.map((one) => [by(one), one])).values()];
}

function unchanged(plan: Plan): number | null {
  let count: number | null = null;
  const add = (more: number) => (count = (count ?? 0) + more);
  for (const { details } of plan.sections) {
    if (!details) continue;
    if ('code' in details) add(details.code.refs.unchanged);
    else if ('secrets' in details) add(details.secrets.names.filter(([, state]) => state === 'in_step').length);
    else if ('variables' in details) add(details.variables.names.filter(([, state]) => state === 'in_step').length);
  }
  return count;
}

export function consequences(plan: Plan): Consequences {
  const changes = plan.sections.flatMap((section) => section.changes);
  return {
    loses: changes.filter((change) => LOSES.includes(change.action)),
    adds: changes.filter((change) => !LOSES.includes(change.action)),
    impossible: once(
      plan.sections.flatMap(({ failure, impossible }) => [...(failure ? [failure] : []), ...impossible]),
      (it) => it.message,
    ),
    facts: once(
      plan.sections.flatMap((section) => section.facts),
      (fact) => fact,
    ),
    unchanged: unchanged(plan),
  };
}

/** The answers, with the one that loses nothing first. */
const ORDER: readonly DecisionChoice[] = ['take', 'overwrite', 'leave'];

export function inOrder(ask: Ask): Ask['choices'] {
  return [...ask.choices].sort(({ choice: one }, { choice: other }) => ORDER.indexOf(one) - ORDER.indexOf(other));
}

/** The refs that a guard is about: those that would be rewritten or deleted; none where it is about something else. */
export function affected(ask: Ask, loses: readonly PlannedChange[]): string[] {
  if (!['guard/many_refs', 'guard/all_branches', 'guard/default_branch'].includes(ask.id)) return [];
  return loses.filter((change) => change.aspect === 'code').map((change) => refWords(change.name));
}
