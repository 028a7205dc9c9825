import { describe, expect, it } from 'vitest';

import type { Track } from '../bindings/Track';
import { ago, dot, NOW, track } from '../../testing/fake';
import {
  areas,
  dotWords,
  HEIGHT,
  LIMIT,
  lines,
  marks,
  nearest,
  painted,
  radius,
  stretches,
  ticks,
  trackWords,
  WIDTH,
  worstFirst,
} from './chart';

const HOUR = 3600;
const DAY = 24 * HOUR;
const TEN_DAYS = { from: NOW - 10 * DAY * 1000, to: NOW, limit: LIMIT, days: 10 };
const unknown = { in_step_before_iso: null };

/** The corners of a path, in shares of the width and the height from below. */
function corners(path: string): [number, number][] {
  const round = (share: number) => Math.round(share * 1000) / 1000;
  return [...path.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [
    round(Number(x) / WIDTH),
    round(1 - Number(y) / HEIGHT),
  ]);
}

describe('the time without being in step', () => {
  it('begins anew with each sync that went well, and with no other', () => {
    const dots = [dot('a', 5 * DAY), dot('bad', 4 * DAY, { status: 'failed' }), dot('b', 2 * DAY)];
    const found = stretches(track('m', dots), TEN_DAYS.from, NOW);
    const ages = found.map(({ from, since }) => [
      Math.round((NOW - from) / 1000),
      since === null ? null : from - since,
    ]);
    expect(ages).toEqual([
      [10 * DAY, (20 * DAY + HOUR) * 1000],
      [5 * DAY - 5, 0],
      [2 * DAY - 5, 0],
    ]);
  });

  it('is not told of before the first that is known, and never ends where nothing went well', () => {
    const none = stretches(track('m', [], unknown), TEN_DAYS.from, NOW);
    expect(none).toEqual([]);
    const bad = [dot('bad', 3 * DAY, { status: 'failed' })];
    expect(stretches(track('m', bad, unknown), TEN_DAYS.from, NOW)).toEqual([
      { from: NOW - 3 * DAY * 1000, to: NOW, since: null },
    ]);
  });
});

describe('the areas', () => {
  it('turn late at the limit, and grow no higher than twice the limit', () => {
    const { fresh, late } = areas(track('m', [dot('a', 5 * DAY, { finished_iso: ago(5 * DAY) })], unknown), TEN_DAYS);
    expect(corners(fresh)).toEqual([
      [0.5, 0],
      [0.5, 0],
      [0.6, 0.5],
      [0.6, 0],
    ]);
    expect(corners(late)).toEqual([
      [0.6, 0],
      [0.6, 0.5],
      [0.7, 1],
      [1, 1],
      [1, 0],
    ]);
  });

  it('of a mirror that was in step in time have nothing late', () => {
    const { late } = areas(track('m', [dot('a', HOUR)], { in_step_before_iso: null }), TEN_DAYS);
    expect(late).toBe('');
  });

  it('of a mirror that was never in step are late from its first sync on', () => {
    const { fresh, late } = areas(track('m', [dot('bad', 5 * DAY, { status: 'failed' })], unknown), TEN_DAYS);
    expect(fresh).toBe('');
    expect(corners(late)).toEqual([
      [0.5, 0],
      [0.5, 1],
      [1, 1],
      [1, 0],
    ]);
  });
});

describe('the dots', () => {
  const all = marks(
    track('m', [
      dot('a', 10 * DAY),
      dot('b', 5 * DAY, { status: 'failed' }),
      dot('c', 5 * DAY),
      dot('d', 0, { finished_iso: null, status: 'running' }),
    ]),
    TEN_DAYS.from,
    NOW,
  );

  it('lie where their time is', () => {
    expect(all.map(({ across }) => across)).toEqual([0, 50, 50, 100]);
  });

  it('are larger the longer it took, within bounds', () => {
    const of = (seconds: number) => radius({ ...dot('a', 0), started_iso: ago(seconds), finished_iso: ago(0) });
    expect(of(0)).toBeLessThan(of(10));
    expect(of(10)).toBeLessThan(of(600));
    expect(of(1800)).toBe(of(90_000));
    expect(radius(dot('a', 0, { finished_iso: null }))).toBe(of(0));
  });

  it('are found by the place that is pointed at, the worse of two at one place', () => {
    expect(nearest(all, 3)).toBe(0);
    expect(nearest(all, 60)).toBe(1);
    expect(nearest(all, 99)).toBe(3);
    expect(nearest([], 50)).toBe(-1);
  });

  it('that went wrong are painted last', () => {
    expect(painted(all).at(-1)?.dot.run).toBe('b');
  });

  it('say when, how it ended, what changed and how long it took', () => {
    expect(dotWords(dot('a', 60, { changes: 1 }), NOW)).toMatch(/^\d\d:\d\d: in step, 1 change, 5\.0 s$/);
    expect(dotWords(dot('a', 60, { runs: 12, status: 'blocked' }), NOW)).toMatch(
      /^12 syncs until \d\d:\d\d: needs a decision, nothing changed$/,
    );
  });
});

describe('a mirror in words', () => {
  it.each<[Partial<Track>, string]>([
    [
      { dots: [] },
      'm: Last in step 10 days ago. No syncs in 10 days. Longest time without being in step: 10 days, longer than 1 day.',
    ],
    [{ dots: [], ...unknown }, 'm: No syncs yet. No syncs in 10 days.'],
    [
      { dots: [dot('a', HOUR, { status: 'failed' })], ...unknown },
      'm: Never in step. 1 sync in 10 days: 1 failed. Longest time without being in step: 1 hour.',
    ],
    [
      { dots: [dot('a', 3 * HOUR, { runs: 4 }), dot('b', HOUR)], ...unknown },
      'm: In step 59 minutes ago. 5 syncs in 10 days: 5 in step. Longest time without being in step: 2 hours.',
    ],
  ])('says how it stands, what was done and how long it was late: %o', (over, words) => {
    const { dots = [] } = over;
    expect(trackWords(track('m', dots, { in_step_before_iso: ago(10 * DAY + HOUR), ...over }), TEN_DAYS)).toBe(words);
  });
});

describe('many mirrors', () => {
  it('stand in their own order while they are few, and the worst first once they are many', () => {
    const of = (amount: number) =>
      Array.from({ length: amount }, (_, at) => track(`m${at}`, [dot(`r${at}`, HOUR * (at === 3 ? 90 : 1))]));
    const shown = (amount: number) =>
      lines({ from_iso: ago(10 * DAY), to_iso: ago(0), tracks: of(amount) }, { days: 10, limit: () => LIMIT }).map(
        (line) => line.track.mirror,
      );
    expect(shown(8)[0]).toBe('m0');
    expect(shown(9).slice(0, 2)).toEqual(['m3', 'm0']);
  });

  it('that are as old are told apart by what failed; one that was never in step comes first', () => {
    const never = track('never', [dot('a', HOUR, { status: 'failed' })], unknown);
    const bad = track('bad', [dot('b', 2 * HOUR, { status: 'failed' }), dot('c', HOUR)]);
    const well = track('well', [dot('d', HOUR)]);
    expect(worstFirst([well, bad, never], NOW).map(({ mirror }) => mirror)).toEqual(['never', 'bad', 'well']);
  });
});

describe('the days below', () => {
  it('are the first, two between, and now', () => {
    const found = ticks({ from_iso: ago(30 * DAY), to_iso: ago(0) });
    expect(found.map(({ across }) => across)).toEqual([0, 33.3, 66.7, 100]);
    expect(found.at(-1)?.word).toBe('Now');
    expect(found[0]?.word).toMatch(/^Jan \d+$/);
  });
});
