// Syncs of one mirror and of all, and when they are possible: the same for the button, the keys and the overview.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { WindowState } from './window.svelte';

/** Whether a repository can be synced at all: it is switched on, and nothing waits for its owner's yes. */
function isOpen(report: RepositoryReport): boolean {
  return report.enabled && report.consent?.file === undefined && report.error === undefined;
}

/** Whether one mirror can be synced now. */
export function canSync(view: WindowState, report: RepositoryReport, mirror: MirrorReport): boolean {
  const busy = mirror.status === 'syncing' || view.jobOf(report.repository, mirror.id) !== undefined;
  return isOpen(report) && mirror.enabled && !busy;
}

/** Whether all that a mirror waited for was decided here, and only a sync is left to do. */
export function isDecided(view: WindowState, repository: string, mirror: MirrorReport): boolean {
  return mirror.standing.word === 'waits' && view.decided.has(`${repository}/${mirror.id}`);
}

/** Whether all mirrors of a repository can be synced now. */
export function canSyncAll(view: WindowState, report: RepositoryReport): boolean {
  return (
    isOpen(report) &&
    report.mirrors.length > 0 &&
    !report.mirrors.some((mirror) => view.jobOf(report.repository, mirror.id))
  );
}

/** Syncs all mirrors of these repositories, as far as that is possible now. */
export function syncAll(view: WindowState, reports: readonly RepositoryReport[]): void {
  const possible = reports.filter((report) => canSyncAll(view, report));
  if (possible.length === 0) view.announcement = 'Nothing can be synced now';
  for (const report of possible) void view.sync(report.repository, null);
}
