// Which commits a change of a ref, or a decision about one, is about; and how they are counted. Pure.

import type { CommitList } from '../bindings/CommitList';
import type { Divergence } from '../bindings/Divergence';
import type { Oid } from '../bindings/Oid';
import type { Plan } from '../bindings/Plan';
import type { CodePlan } from '../bindings/CodePlan';
import type { PlannedChange } from '../bindings/PlannedChange';
import { counted } from './time';

/** Commits that one tip has and another has not, and what they are to whoever reads it. */
export interface CommitsAsked {
  title: string;
  tip: Oid;
  without: Oid | null;
}

/** So many are counted, and not more. */
const COUNTED = 10_000;

export function codeOf(plan: Plan): CodePlan | null {
  for (const { details } of plan.sections) if (details && 'code' in details) return details.code;
  return null;
}

/** `main` is the tip of the default branch at the source: what of a whole branch is there already is no news. */
export function commitsOfChange(change: PlannedChange, main: Oid | null): CommitsAsked[] {
  const { aspect, action, before, after } = change;
  if (aspect !== 'code') return [];
  const beside = (tip: Oid) => (main === tip ? null : main);
  const but = (tip: Oid) => (beside(tip) === null ? '' : ', without those of the default branch');
  switch (action) {
    case 'create':
      return after ? [{ title: `New commits${but(after)}`, tip: after, without: beside(after) }] : [];
    case 'fast_forward':
      return after && before ? [{ title: 'New commits', tip: after, without: before }] : [];
    case 'rewrite':
      if (!after || !before) return [];
      return [
        { title: 'Commits that go', tip: before, without: after },
        { title: 'New commits', tip: after, without: before },
      ];
    case 'delete':
      return before ? [{ title: `Commits that go${but(before)}`, tip: before, without: beside(before) }] : [];
    case 'update':
    case 'hold':
    case 'release':
    case 'default_branch':
    case 'actions_off':
    case 'actions_restored':
    case 'fence':
      return [];
  }
}

/** Both sides of a ref that diverged, the mirror's first: that is what is decided about. */
export function commitsOfDivergence(divergence: Divergence, source: string, mirror: string): CommitsAsked[] {
  const { mirror_tip, source_tip } = divergence;
  const own = { title: `Only at ${mirror}`, tip: mirror_tip, without: source_tip };
  return source_tip === null ? [own] : [own, { title: `Only at ${source}`, tip: source_tip, without: mirror_tip }];
}

export function howMany({ count }: CommitList): string {
  return count >= COUNTED ? `${COUNTED.toLocaleString('en')} or more` : String(count);
}

/** What is not in the list any more; nothing where it is whole. */
export function restWords(list: CommitList): string {
  const rest = list.count - list.commits.length;
  if (rest <= 0) return '';
  return list.count >= COUNTED ? 'and many more' : `and ${rest} older`;
}

export function filesWords({ file_count }: CommitList): string {
  return `${counted(file_count, 'file')} changed`;
}
