// What is known of an aspect and as of when. A failed try takes nothing away: what was so before is told beside it.

import type { Aspect } from '../bindings/Aspect';
import type { AspectReport } from '../bindings/AspectReport';
import { counted, relativeTime } from './time';

const HOUR = 3_600_000;

/** From when on figures are old enough to say as of when they were so. */
export const FRESH = HOUR;

/** A moment as something is said to be as of: the time of day, with the day where that is another. */
export function asOf(iso: string, now: number): string {
  const moment = new Date(iso);
  const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false }).format(moment);
  const today = new Date(now);
  if (moment.toDateString() === today.toDateString()) return time;
  const year = moment.getFullYear() === today.getFullYear() ? {} : { year: 'numeric' as const };
  return `${new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', ...year }).format(moment)}, ${time}`;
}

/** Whether the last try did not work, so that the figures beside it are from before. */
function isFromBefore(report: AspectReport): boolean {
  return report.last_try_iso !== undefined || report.status === 'failed' || report.status === 'blocked';
}

/** How far code is behind, never without its moment once that is old: `0 commits behind as of 14:02`. */
export function behindWords(report: AspectReport, now: number): string {
  if (report.behind === undefined) return '';
  const words = `${counted(report.behind, 'commit')} behind`;
  if (report.last_sync_iso === null) return words;
  if (isFromBefore(report)) return `${words} then`;
  return now - Date.parse(report.last_sync_iso) > FRESH ? `${words} as of ${asOf(report.last_sync_iso, now)}` : words;
}

/** What was so before a try that did not work: `Last in step 2 hours ago at 093f768 · 3 commits behind then`. */
export function lastGood(aspect: Aspect, report: AspectReport, now: number): string {
  if (!isFromBefore(report) || report.last_sync_iso === null) return '';
  const commit = aspect === 'code' && report.last_commit ? ` at ${report.last_commit.slice(0, 7)}` : '';
  const behind = aspect === 'code' ? behindWords(report, now) : '';
  const counts =
    report.synced_count !== undefined && report.total !== undefined
      ? `${report.synced_count}/${report.total} then`
      : '';
  return [`Last in step ${relativeTime(report.last_sync_iso, now)}${commit}`, behind, counts]
    .filter(Boolean)
    .join(' · ');
}
