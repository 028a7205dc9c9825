// The repositories as a list: what each is called, and which comes first.

import type { RepositoryReport } from '../bindings/RepositoryReport';

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

/** Whether a person has to do something about it. */
export function needsSomeone(report: RepositoryReport): boolean {
  return report.standing.tone === 'failed' || report.standing.tone === 'waiting';
}
