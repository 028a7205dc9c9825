// The chart of what happened: where its areas and dots lie, and what they say. Pure, of what the backend tells and the clock.

import type { Activity } from '../bindings/Activity';
import type { Dot } from '../bindings/Dot';
import type { Tone } from '../bindings/Tone';
import type { Track } from '../bindings/Track';
import { asOf } from './freshness';
import { counted, duration, relativeTime, spanWords } from './time';
import { runWord } from './words';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** So long may a mirror be without being in step before its area is drawn in red. */
export const LIMIT = DAY;

/** The measures of the areas in units of their own; they are stretched to the width that there is. */
export const WIDTH = 1000;
export const HEIGHT = 100;

/** So many mirrors are drawn at first, the worst of them where there are more. */
export const DRAWN = 8;

/** In rem: so that dots grow with the text. */
const SMALLEST = 0.19;
const LARGEST = 0.38;
/** A sync that takes as long as this or longer has the largest dot. */
const LONGEST_SECONDS = 1800;

/** A stretch of time in which a mirror was not brought in step; `since` is when it last was, `null` where it never was. */
export interface Stretch {
  from: number;
  to: number;
  since: number | null;
}

/** A dot with its place: across in percent, its radius in rem. */
export interface Mark {
  dot: Dot;
  across: number;
  radius: number;
  tone: Tone;
}

export interface Line {
  track: Track;
  /** The area of the time in which it was fresh enough, as a path. */
  fresh: string;
  /** The area of the time in which it was not. */
  late: string;
  marks: Mark[];
  /** How it stands at the end of the chart. */
  state: { tone: Tone; word: string };
  /** What the line says, in words. */
  words: string;
}

const time = (iso: string): number => Date.parse(iso);

/** When a dot was in step, where it was. */
function inStepAt({ status, finished_iso, started_iso }: Dot): number | null {
  return status === 'success' ? time(finished_iso ?? started_iso) : null;
}

/** The stretches between the moments in which a mirror was in step; nothing before the first that is known of it. */
export function stretches(track: Track, from: number, to: number): Stretch[] {
  const moments = track.dots
    .map(inStepAt)
    .filter((moment) => moment !== null)
    .map((moment) => Math.min(moment, to))
    .sort((one, other) => one - other);
  const [first] = track.dots;
  let since = track.in_step_before_iso === null ? null : time(track.in_step_before_iso);
  // The first that is known of it is a sync: in step from its end on, or not in step from its beginning on.
  let begin = since !== null ? from : first ? (inStepAt(first) ?? time(first.started_iso)) : null;
  const found: Stretch[] = [];
  if (begin === null) return found;
  for (const moment of [...moments, to]) {
    if (moment > begin) found.push({ from: begin, to: moment, since });
    [begin, since] = [moment, moment];
  }
  return found;
}

/** A stretch cut where it passes the limit: the part before and the part after, each as moments with ages. */
function parts(stretch: Stretch, limit: number): { fresh: [number, number][]; late: [number, number][] } {
  const most = 2 * limit;
  const { from, to, since } = stretch;
  if (since === null) {
    return {
      fresh: [],
      late: [
        [from, most],
        [to, most],
      ],
    };
  }
  const at = (moment: number): [number, number] => [moment, Math.min(moment - since, most)];
  const [passes, full] = [since + limit, since + most];
  const cut = Math.min(Math.max(passes, from), to);
  const late = [cut, ...(full > cut && full < to ? [full] : []), to];
  return {
    fresh: cut > from ? [at(from), at(cut)] : [],
    late: cut < to ? late.map(at) : [],
  };
}

/** The areas of a mirror as two paths; the limit is half-way up. */
export function areas(
  track: Track,
  { from, to, limit }: { from: number; to: number; limit: number },
): { fresh: string; late: string } {
  const x = (moment: number) => round(((moment - from) / Math.max(1, to - from)) * WIDTH);
  const y = (age: number) => round(HEIGHT - (Math.max(0, age) / (2 * limit)) * HEIGHT);
  const path = (points: [number, number][]): string => {
    const [first, last] = [points[0], points.at(-1)];
    if (!first || !last) return '';
    const top = points.map(([moment, age]) => `L${x(moment)} ${y(age)}`).join('');
    return `M${x(first[0])} ${HEIGHT}${top}L${x(last[0])} ${HEIGHT}Z`;
  };
  const cut = stretches(track, from, to).map((stretch) => parts(stretch, limit));
  return { fresh: cut.map(({ fresh }) => path(fresh)).join(''), late: cut.map(({ late }) => path(late)).join('') };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** How large a dot is: a sync of a second has a small one, and one of half an hour the largest. */
export function radius({ started_iso, finished_iso }: Dot): number {
  const seconds = finished_iso === null ? 0 : Math.max(0, time(finished_iso) - time(started_iso)) / 1000;
  const share = Math.min(1, Math.log1p(seconds) / Math.log1p(LONGEST_SECONDS));
  return Math.round((SMALLEST + (LARGEST - SMALLEST) * share) * 1000) / 1000;
}

const WEIGHT: Record<Tone, number> = { ok: 0, unknown: 1, running: 2, waiting: 3, failed: 4 };

/** The dots in the order of time, as arrows go through them. */
export function marks(track: Track, from: number, to: number): Mark[] {
  return track.dots.map((dot) => ({
    dot,
    across: round(Math.min(100, Math.max(0, ((time(dot.started_iso) - from) / Math.max(1, to - from)) * 100))),
    radius: radius(dot),
    tone: runWord[dot.status].tone,
  }));
}

/** The same in the order in which they are painted: what went wrong lies above what went well. */
export function painted(all: readonly Mark[]): Mark[] {
  return [...all].sort((one, other) => WEIGHT[one.tone] - WEIGHT[other.tone]);
}

/** The dot that is meant by a place, in percent; -1 where there is none. Of two at one place it is the worse. */
export function nearest(all: readonly Mark[], across: number): number {
  let best = -1;
  let found: Mark | undefined;
  all.forEach((mark, at) => {
    const [far, near] = [Math.abs(mark.across - across), found ? Math.abs(found.across - across) : Infinity];
    if (far < near || (far === near && found && WEIGHT[mark.tone] > WEIGHT[found.tone])) [best, found] = [at, mark];
  });
  return best;
}

/** A dot in words: `Feb 7, 18:01: in step, 2 changes, 5.0 s`. */
export function dotWords({ started_iso, finished_iso, status, runs, changes }: Dot, now: number): string {
  const when = runs > 1 ? `${counted(runs, 'sync')} until ${asOf(started_iso, now)}` : asOf(started_iso, now);
  const made = changes === 0 ? 'nothing changed' : counted(changes, 'change');
  const took = runs === 1 && finished_iso !== null ? duration(started_iso, finished_iso) : '';
  const word = runWord[status].word;
  return `${when}: ${[word.charAt(0).toLowerCase() + word.slice(1), made, took].filter(Boolean).join(', ')}`;
}

/** When it was last in step, as far as the chart knows. */
function lastInStep(track: Track): number | null {
  const known = track.dots.map(inStepAt).filter((moment) => moment !== null);
  if (known.length > 0) return Math.max(...known);
  return track.in_step_before_iso === null ? null : time(track.in_step_before_iso);
}

function stateOfTrack(track: Track, now: number, limit: number): Line['state'] {
  const since = lastInStep(track);
  if (since === null) {
    return track.dots.length > 0
      ? { tone: 'failed', word: 'Never in step' }
      : { tone: 'unknown', word: 'No syncs yet' };
  }
  const age = relativeTime(new Date(since).toISOString(), now);
  return now - since > limit ? { tone: 'failed', word: `Last in step ${age}` } : { tone: 'ok', word: `In step ${age}` };
}

const SYNC_ENDS = [
  ['success', 'in step'],
  ['failed', 'failed'],
  ['blocked', 'waiting for a decision'],
  ['cancelled', 'cancelled'],
  ['running', 'going on'],
] as const;

/** What the line of a mirror says, for who cannot see it. */
export function trackWords(
  track: Track,
  { from, to, limit, days }: { from: number; to: number; limit: number; days: number },
): string {
  const all = track.dots.reduce((sum, { runs }) => sum + runs, 0);
  const ends = SYNC_ENDS.map(([status, word]) => {
    const amount = track.dots.filter((dot) => dot.status === status).reduce((sum, { runs }) => sum + runs, 0);
    return amount > 0 ? `${amount} ${word}` : '';
  }).filter(Boolean);
  const known = stretches(track, from, to);
  const longest = known.reduce((most, stretch) => {
    const gap = stretch.since === null ? stretch.to - stretch.from : stretch.to - stretch.since;
    return Math.max(most, gap);
  }, 0);
  const over = longest > limit ? `, longer than ${spanWords(limit)}` : '';
  const gap = known.length > 0 ? `Longest time without being in step: ${spanWords(longest)}${over}.` : '';
  const syncs = all > 0 ? `${counted(all, 'sync')} in ${days} days: ${ends.join(', ')}.` : `No syncs in ${days} days.`;
  return `${track.mirror}: ${stateOfTrack(track, to, limit).word}. ${[syncs, gap].filter(Boolean).join(' ')}`;
}

/** The lines of a chart: of few mirrors in the order of the configuration, of many the worst first. */
export function lines(
  { from_iso, to_iso, tracks }: Activity,
  { days, limit }: { days: number; limit: (mirror: string) => number },
): Line[] {
  const [from, to] = [time(from_iso), time(to_iso)];
  const sorted = tracks.length > DRAWN ? worstFirst(tracks, to) : tracks;
  return sorted.map((track) => {
    const terms = { from, to, days, limit: limit(track.mirror) };
    return {
      track,
      ...areas(track, terms),
      marks: marks(track, from, to),
      state: stateOfTrack(track, to, terms.limit),
      words: trackWords(track, terms),
    };
  });
}

/** First what was not in step for the longest time, then what failed most often. */
export function worstFirst(tracks: readonly Track[], now: number): Track[] {
  const age = (track: Track) => {
    const since = lastInStep(track);
    // Hours are enough to tell mirrors apart that are synced one after the other.
    return since === null ? Infinity : Math.floor((now - since) / HOUR);
  };
  const bad = ({ dots }: Track) => dots.filter(({ status }) => status === 'failed' || status === 'blocked').length;
  return [...tracks].sort((one, other) => {
    const [here, there] = [age(one), age(other)];
    return here === there ? bad(other) - bad(one) : there - here;
  });
}

/** The days that are written below: the first, two between, and now. */
export function ticks({ from_iso, to_iso }: Pick<Activity, 'from_iso' | 'to_iso'>): { across: number; word: string }[] {
  const [from, to] = [time(from_iso), time(to_iso)];
  const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
  return [0, 1, 2, 3].map((third) => ({
    across: round((third / 3) * 100),
    word: third === 3 ? 'Now' : day.format(from + ((to - from) * third) / 3),
  }));
}
