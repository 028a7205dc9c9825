import { describe, expect, it } from 'vitest';

import { bytes, duration, relativeTime } from './time';

const NOW = Date.parse('2026-02-07T18:00:00Z');

describe('relativeTime', () => {
  it.each([
    ['2026-02-07T18:00:00Z', 'just now'],
    ['2026-02-07T17:59:16Z', 'just now'],
    ['2026-02-07T17:59:14Z', '1 minute ago'],
    ['2026-02-07T17:58:30Z', '1 minute ago'],
    ['2026-02-07T17:57:55Z', '2 minutes ago'],
    ['2026-02-07T17:00:01Z', '59 minutes ago'],
    ['2026-02-07T17:00:00Z', '1 hour ago'],
    ['2026-02-06T18:00:01Z', '23 hours ago'],
    ['2026-02-06T18:00:00Z', '1 day ago'],
    ['2026-01-10T18:00:00Z', '28 days ago'],
    ['2026-01-01T18:00:00Z', 'Jan 1, 2026'],
    ['2026-02-07T18:05:00Z', 'in 5 minutes'],
  ])('says %s as "%s"', (iso, words) => {
    expect(relativeTime(iso, NOW)).toBe(words);
  });
});

describe('duration', () => {
  it.each([
    ['2026-02-07T18:00:00.000Z', '2026-02-07T18:00:00.420Z', '420 ms'],
    ['2026-02-07T18:00:00Z', '2026-02-07T18:00:05Z', '5.0 s'],
    ['2026-02-07T18:00:00Z', '2026-02-07T18:02:03Z', '2 min 3 s'],
    ['2026-02-07T18:00:00Z', '2026-02-07T20:05:00Z', '2 h 5 min'],
    ['2026-02-07T18:00:01Z', '2026-02-07T18:00:00Z', '0 ms'],
  ])('from %s to %s is %s', (from, until, words) => {
    expect(duration(from, until)).toBe(words);
  });
});

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1234, '1.2 kB'],
    [2_500_000, '2.5 MB'],
  ])('says %d as %s', (amount, words) => {
    expect(bytes(amount)).toBe(words);
  });
});
