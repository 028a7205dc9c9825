// Which standing comes first in a list: what needs a person most. The order of the words is that of the wire.

import type { Standing } from '../bindings/Standing';
import type { StandingWord } from '../bindings/StandingWord';
import type { Tone } from '../bindings/Tone';

const BY_TONE: Record<Tone, number> = { failed: 0, waiting: 1, unknown: 2, running: 2, ok: 3 };

const BY_WORD: Record<StandingWord, number> = {
  consent_needed: 0,
  change_open: 1,
  master_gone: 2,
  master_down: 3,
  master_unknown: 4,
  cannot_take_over: 5,
  waits: 6,
  failed: 7,
  stands_in: 8,
  waits_for_hand_back: 9,
  attention: 10,
  stale: 11,
  behind: 12,
  left_apart: 13,
  never_synced: 14,
  syncing: 15,
  no_mirrors: 16,
  switched_off: 17,
  is_master: 18,
  in_step: 19,
};

/** What needs someone most comes first; the same need leaves the order of the configuration. */
export function byWorst<T extends { standing: Standing }>(all: readonly T[]): T[] {
  return [...all].sort(
    ({ standing: one }, { standing: other }) =>
      BY_TONE[one.tone] - BY_TONE[other.tone] || BY_WORD[one.word] - BY_WORD[other.word],
  );
}

/** How many there are of each state, in core's words: `195 in step, 1 failed`. */
export function tally(all: readonly { standing: Standing }[]): string {
  const counts = new Map<string, number>();
  for (const { standing } of all) counts.set(standing.label, (counts.get(standing.label) ?? 0) + 1);
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([label, count]) => `${count} ${label}`)
    .join(', ');
}

/** What goes on only once a person did something. */
const NEEDS_SOMEONE: readonly StandingWord[] = ['consent_needed', 'change_open', 'waits', 'stands_in', 'attention'];

/** Who is asked for in a list of many. */
export type Asked = 'someone' | 'failed' | 'all';

export function isAsked(asked: Asked, { standing }: { standing: Standing }): boolean {
  switch (asked) {
    case 'someone':
      return NEEDS_SOMEONE.includes(standing.word);
    case 'failed':
      return standing.tone === 'failed';
    case 'all':
      return true;
  }
}
