// The repositories as a list: what each is called, and which comes first.

import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { StandingWord } from '../bindings/StandingWord';
import type { Tone } from '../bindings/Tone';

export interface ShownName {
  name: string;
  /** Whose it is; empty where the id does not say, or where the name alone would mean two of them. */
  owner: string;
}

/** The owner and the name behind an id that was made of both: `ada.orchestrator` of `ada/orchestrator`. */
function made(report: RepositoryReport): ShownName | null {
  for (const place of [report.master, ...report.mirrors.map((mirror) => mirror.repo)]) {
    const [owner = '', name = '', ...rest] = place.split('/');
    if (owner !== '' && name !== '' && rest.length === 0 && `${owner}.${name}` === report.repository) {
      return { name, owner };
    }
  }
  return null;
}

/** What each repository is called on screen: the name of its own, with the owner apart, where no other has that name. */
export function shownNames(reports: readonly RepositoryReport[]): Map<string, ShownName> {
  const found = reports.map((report) => [report.repository, made(report)] as const);
  const times = new Map<string, number>();
  for (const [id, shown] of found) {
    const name = shown?.name ?? id;
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  return new Map(
    found.map(([id, shown]) => [id, shown && times.get(shown.name) === 1 ? shown : { name: id, owner: '' }]),
  );
}

const BY_TONE: Record<Tone, number> = { failed: 0, waiting: 1, unknown: 2, running: 2, ok: 3 };

/** The order of the wire, which begins with the worst. */
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

/** The worst first; what is as bad as another stays in the order of the configuration. */
export function worstFirst(reports: readonly RepositoryReport[]): RepositoryReport[] {
  return [...reports].sort(
    ({ standing: one }, { standing: other }) =>
      BY_TONE[one.tone] - BY_TONE[other.tone] || BY_WORD[one.word] - BY_WORD[other.word],
  );
}

/** Whether a person has to do something about it. */
export function needsSomeone(report: RepositoryReport): boolean {
  return report.standing.tone === 'failed' || report.standing.tone === 'waiting';
}
