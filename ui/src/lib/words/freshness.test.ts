import { describe, expect, it } from 'vitest';

import { ago, NOW, OID } from '../../testing/fake';
import { asOf, behindWords, lastGood } from './freshness';

const code = { status: 'ok' as const, last_sync_iso: ago(120), last_commit: OID, behind: 0 };

describe('how far code is behind', () => {
  it('is said alone while it is fresh', () => {
    expect(behindWords(code, NOW)).toBe('0 commits behind');
  });

  it('is said with its moment once it is older than an hour', () => {
    const iso = ago(2 * 3600);
    expect(behindWords({ ...code, last_sync_iso: iso }, NOW)).toBe(`0 commits behind as of ${asOf(iso, NOW)}`);
    expect(asOf(iso, NOW)).toMatch(/^(7 Feb|Feb \d+, )?\d\d:03$|, \d\d:03$/);
  });

  it('names the day where that is another, and the year where that is', () => {
    expect(asOf(ago(3 * 86_400), NOW)).toMatch(/^Feb \d, \d\d:\d\d$/);
    expect(asOf(ago(400 * 86_400), NOW)).toMatch(/^Jan \d, 2025, \d\d:\d\d$/);
  });
});

describe('what was so before a try that failed', () => {
  const failed = { ...code, status: 'failed' as const, last_sync_iso: ago(7200), last_try_iso: ago(5), behind: 3 };

  it('stays: when, at which commit, how far behind', () => {
    expect(lastGood('code', failed, NOW)).toBe('Last in step 2 hours ago at 093f768 · 3 commits behind then');
    const secrets = { status: 'failed' as const, last_sync_iso: ago(7200), synced_count: 4, total: 5 };
    expect(lastGood('secrets', secrets, NOW)).toBe('Last in step 2 hours ago · 4/5 then');
  });

  it('is nothing where all is well or nothing ever was', () => {
    expect(lastGood('code', code, NOW)).toBe('');
    expect(lastGood('code', { status: 'failed', last_sync_iso: null }, NOW)).toBe('');
  });
});
