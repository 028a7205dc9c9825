// Times as a person says them. Everything takes "now" as a value, so that the same input gives the same words.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function count(amount: number, unit: string): string {
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function span(milliseconds: number): string {
  if (milliseconds < HOUR) return count(Math.floor(milliseconds / MINUTE), 'minute');
  if (milliseconds < DAY) return count(Math.floor(milliseconds / HOUR), 'hour');
  return count(Math.floor(milliseconds / DAY), 'day');
}

/** A length of time, in its largest unit. */
export function spanWords(milliseconds: number): string {
  return span(Math.max(milliseconds, MINUTE));
}

/** How long ago (or ahead) a moment is; after 30 days the date itself. */
export function relativeTime(iso: string, now: number): string {
  const moment = Date.parse(iso);
  const age = now - moment;
  if (Math.abs(age) < 45 * SECOND) return 'just now';
  // From 45 seconds on it reads as a minute.
  const rounded = Math.max(Math.abs(age), MINUTE);
  if (rounded >= 30 * DAY) {
    return new Intl.DateTimeFormat('en', { dateStyle: 'medium' }).format(moment);
  }
  return age > 0 ? `${span(rounded)} ago` : `in ${span(rounded)}`;
}

/** A moment in full, for titles and lists. */
export function fullTime(iso: string): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' }).format(Date.parse(iso));
}

/** The time of day, for lines of output. */
export function clockTime(iso: string): string {
  return new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }).format(
    Date.parse(iso),
  );
}

/** How long something took. */
export function duration(fromIso: string, untilIso: string): string {
  const milliseconds = Math.max(0, Date.parse(untilIso) - Date.parse(fromIso));
  if (milliseconds < SECOND) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < MINUTE) return `${(milliseconds / SECOND).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / SECOND);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** A number of bytes. */
export function bytes(amount: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = amount;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `1 commit`, `2 commits`. */
export const counted = count;
